"""A plain loop over cases."""

from functools import partial
from pathlib import Path

import pytest

from medp2p.errors import ConfigError, FileError
from medp2p.many import each_case
from tests.many.worked_on import begin


def test_a_refused_case_stops_no_other(tmp_path: Path) -> None:
    outcomes = dict(each_case(partial(begin, tmp_path), ["a", "bad", "c"]))
    assert (outcomes["a"], outcomes["c"]) == (1, 1)
    assert isinstance(outcomes["bad"], FileError)


def test_a_failing_machine_stops_the_work(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no space"):
        list(each_case(partial(begin, tmp_path), ["a", "full", "c"]))
    assert (tmp_path / "a.txt").exists()
    assert not (tmp_path / "c.txt").exists()


def test_what_cases_share_is_loaded_once_and_not_for_none(tmp_path: Path) -> None:
    list(each_case(partial(begin, tmp_path), []))
    assert list(tmp_path.glob("begun-*")) == []
    list(each_case(partial(begin, tmp_path), ["a", "b", "c"]))
    assert len(list(tmp_path.glob("begun-*"))) == 1


def test_no_workers_are_refused() -> None:
    with pytest.raises(ConfigError, match="--workers"):
        each_case(lambda: abs, [1, 2], workers=0)


def test_an_unknown_cluster_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no such cluster.*found kubernetes"):
        list(each_case(lambda: abs, [1, 2], cluster="kubernetes"))
