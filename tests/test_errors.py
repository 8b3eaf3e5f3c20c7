"""What medp2p refuses, as one tree of exceptions."""

import pickle

import pytest

from medp2p import errors


def test_a_message_names_file_cause_and_cure() -> None:
    error = errors.GeometryError("ct.nii.gz", "the grid differs", found="64", expected="80", fix="resample it")
    assert str(error) == "ct.nii.gz: the grid differs (found 64, expected 80). Fix: resample it"


def test_several_faults_are_one_error_with_a_line_each() -> None:
    faults = [errors.fault("a", "bad", fix="mend"), errors.fault("b", "worse", fix="mend", key="k", line=3)]
    assert str(errors.ConfigError.several(faults)) == "a: bad. Fix: mend\nb:3: k: worse. Fix: mend"


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ConfigError, ValueError),
        (errors.FileError, OSError),
        (errors.GeometryError, ValueError),
        (errors.RegionError, ValueError),
        (errors.EmptyRegionError, errors.RegionError),
        (errors.ModelError, ValueError),
        (errors.OutputExistsError, FileExistsError),
        (errors.TrainingError, RuntimeError),
    ],
)
def test_each_error_is_also_the_builtin_that_a_caller_expects(kind: type, builtin: type) -> None:
    error = kind("x", "bad", fix="mend")
    assert isinstance(error, builtin)
    assert isinstance(error, errors.Medp2pError)


def refuse(exit_code: int) -> None:
    error = errors.FileError.several([errors.fault("a", "bad", fix="mend"), errors.fault("b", "bad", fix="mend")])
    error.exit_code = exit_code
    raise error


def test_what_is_refused_is_gathered_so_that_the_next_can_be_looked_at() -> None:
    faults = [errors.fault("first", "bad", fix="mend")]
    assert errors.tried(faults, refuse, 2) is None
    assert errors.tried(faults, divmod, 7, 2) == (3, 1)
    assert [each.path for each in faults] == ["first", "a", "b"]


def test_a_machine_that_fails_is_never_gathered_with_what_is_refused() -> None:
    faults: list[errors.Fault] = []
    with pytest.raises(errors.FileError) as failed:
        errors.tried(faults, refuse, exit_code=1)
    assert (failed.value.exit_code, faults) == (1, [])


def test_an_error_survives_a_process_boundary() -> None:
    error = errors.FileError("x", "bad", fix="mend")
    error.exit_code = 1
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.exit_code) == (errors.FileError, str(error), 1)


def test_control_characters_of_a_name_never_reach_the_terminal() -> None:
    assert "\x1b" not in str(errors.FileError("a\x1b[2J.nii", "bad", fix="mend"))


@pytest.mark.parametrize(("names", "shown"), [([], ""), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b, … (3 in all)")])
def test_of_a_long_list_the_first_names_and_their_number_are_told(names: list[str], shown: str) -> None:
    assert errors.listed(names, 2) == shown
