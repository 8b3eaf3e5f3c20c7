"""A folder translated by several workers: the same files, messages and refusals as by one."""

import json
from pathlib import Path

import numpy as np
import pytest

from medp2p.device import device_of_worker
from medp2p.errors import Medp2pError
from medp2p.io import read_volume
from medp2p.translation import translate
from tests.translation.test_tasks import put

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytest.importorskip("cryptography", reason="the extra `cluster` is not installed")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for number in range(4):
        put(tmp_path / "scans" / f"s{number}.nii.gz", seed=number)
    return tmp_path / "scans"


@pytest.mark.slow
def test_workers_make_the_very_files_that_a_loop_makes(model, scans, tmp_path) -> None:
    alone = translate(model, scans, tmp_path / "alone", device="cpu")
    said: list[tuple[int, int, str]] = []
    shared = translate(model, scans, tmp_path / "shared", device="cpu", workers=2, progress=lambda *s: said.append(s))
    assert {path.name for path in shared.made} == {path.name for path in alone.made}
    for path in alone.made:
        there = tmp_path / "shared" / path.name
        np.testing.assert_allclose(read_volume(there).voxels, read_volume(path).voxels, atol=1)
        mine, other = (json.loads(p.with_name(f"{p.name[:2]}.json").read_text()) for p in (path, there))
        assert mine["input_sha256"] == other["input_sha256"]
    assert [done for done, total, _ in said] == [1, 2, 3, 4]
    assert {total for _, total, _ in said} == {4}


@pytest.mark.slow
def test_with_workers_a_bad_scan_is_refused_and_the_rest_is_made_and_then_kept(model, scans, tmp_path) -> None:
    (scans / "bad.nii.gz").write_bytes(b"no scan")
    with pytest.raises(Medp2pError, match=r"bad\.nii\.gz") as refused:
        translate(model, scans, tmp_path / "out", device="cpu", workers=2)
    assert refused.value.exit_code == 2
    assert len(refused.value.faults) == 1
    assert len(list((tmp_path / "out").glob("s*.nii.gz"))) == 4
    (scans / "bad.nii.gz").unlink()
    again = translate(model, scans, tmp_path / "out", device="cpu", workers=2)
    assert (len(again.made), len(again.kept)) == (0, 4)


def test_workers_take_the_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [device_of_worker("auto", number) for number in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert device_of_worker("cuda:1", 0) == "cuda:1"
