"""Words that are not known are answered with the one that was most likely meant."""

from medp2p.nearest import did_you_mean, nearest

KNOWN = ("batch_size", "betas", "learning_rate")


def test_a_slip_of_the_pen_is_understood() -> None:
    assert [nearest(word, KNOWN) for word in ("batchsize", "beta", "learning-rate")] == list(KNOWN)
    assert did_you_mean("beta", KNOWN, "remove it") == "did you mean `betas`?"


def test_capitals_hide_no_word_however_short() -> None:
    assert [nearest(word, ("id", "mr", "patient")) for word in ("ID", "MR", "Patient")] == ["id", "mr", "patient"]


def test_a_word_like_none_is_answered_otherwise() -> None:
    assert nearest("xyz", KNOWN) is None
    assert did_you_mean("xyz", KNOWN, "remove it") == "remove it"
    assert did_you_mean("beta", [], "remove it") == "remove it"
