"""A few hundred of the damaged files that `make fuzz` tries by the thousand."""

from pathlib import Path

from tests.fuzz import outcome, seeds


def test_damaged_files_are_read_or_refused_in_our_words(tmp_path: Path) -> None:
    sound = seeds(tmp_path)
    ends = [outcome(number, tmp_path, sound) for number in range(420)]
    assert [end for end in ends if not end.endswith((": read", ": refused"))] == []
    assert len({end for end in ends if end.endswith(": refused")}) == len(sound)
