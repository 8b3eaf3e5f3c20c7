"""Raw scans to a cohort: which cases are prepared."""

from pathlib import Path

import pytest

from medp2p.errors import ConfigError, FileError
from medp2p.preparation import prepare


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Four cases whose scans are refused as soon as they are read."""
    for case in "abcd":
        (tmp_path / "raw" / case).mkdir(parents=True)
        (tmp_path / "raw" / case / "mr.nii.gz").write_bytes(b"no scan")
    return tmp_path / "raw"


def test_each_job_of_an_array_takes_its_own_share_of_the_cases(raw: Path, tmp_path: Path) -> None:
    refused = []
    for part in ("1/2", "2/2"):
        with pytest.raises(FileError) as error:
            prepare(raw, tmp_path / "cohort", shard_of=part)
        refused.append([fault.key for fault in error.value.faults])
    assert refused == [["a", "c"], ["b", "d"]]


def test_a_part_that_there_is_not_is_refused_before_anything_is_made(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--shard: no part of the cases \(found 3/2"):
        prepare(raw, tmp_path / "cohort", shard_of="3/2")
    assert not (tmp_path / "cohort").exists()
