"""What reading and writing does to the process and the machine around it."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medp2p.errors import FileError, OutputExistsError
from medp2p.io import read_volume, write_volume
from medp2p.volume import Volume

from . import dicom_phantom as phantom

FORMATS = [".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr"]
HEAVY = ("torch", "monai", "SimpleITK", "nibabel", "pydicom", "pydantic", "ruamel", "scipy")


def noisy(seed: int = 0) -> Volume:
    return Volume(np.random.default_rng(seed).integers(-1000, 3000, (40, 30, 20)).astype("i2"), np.eye(4))


def run(code: str, *arguments: object) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True
    ).stdout


def test_importing_and_reading_images_loads_nothing_heavy(tmp_path: Path) -> None:
    for end in FORMATS:
        write_volume(noisy(), tmp_path / f"a{end}")
    code = (
        "import sys; from medp2p.io import read_volume\n"
        f"for end in {FORMATS}: read_volume(sys.argv[1] + '/a' + end)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert run(code, tmp_path).strip() == "[]"


def test_an_uncompressed_series_is_read_without_simpleitk(tmp_path: Path) -> None:
    phantom.write(tmp_path / "s")
    code = "import sys; from medp2p.io import read_volume; read_volume(sys.argv[1]); print('SimpleITK' in sys.modules)"
    assert run(code, tmp_path / "s").strip() == "False"


def test_without_isal_the_same_bytes_come_back(tmp_path: Path) -> None:
    for end in (".nii.gz", ".mha", ".nrrd"):
        write_volume(noisy(), tmp_path / f"a{end}")
    code = (
        "import sys; sys.modules['isal'] = None\n"
        "from medp2p.io import read_volume, write_volume\n"
        "for end in ('.nii.gz', '.mha', '.nrrd'):\n"
        "    volume = read_volume(sys.argv[1] + '/a' + end)\n"
        "    write_volume(volume, sys.argv[1] + '/b' + end)\n"
    )
    run(code, tmp_path)
    for end in (".nii.gz", ".mha", ".nrrd"):
        assert np.array_equal(read_volume(tmp_path / f"b{end}").voxels, noisy().voxels)


@pytest.mark.parametrize("end", FORMATS)
@pytest.mark.parametrize("old", [False, True])
def test_a_disk_that_fills_up_at_any_size_leaves_what_was_there(tmp_path: Path, end: str, old: bool) -> None:
    path = tmp_path / f"a{end}"
    if old:
        write_volume(noisy(1), path)
    before = sorted(entry.name for entry in tmp_path.iterdir())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (0, 1, 300, 4096, 20_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
        try:
            with pytest.raises(FileError, match="file grows larger") as caught:
                write_volume(noisy(), path, overwrite=old)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert caught.value.exit_code == 1
        assert sorted(entry.name for entry in tmp_path.iterdir()) == before
    assert not old or np.array_equal(read_volume(path).voxels, noisy(1).voxels)


@pytest.mark.parametrize("end", FORMATS)
def test_an_existing_image_is_written_over_only_when_asked(tmp_path: Path, end: str) -> None:
    write_volume(noisy(1), tmp_path / f"a{end}")
    with pytest.raises(OutputExistsError, match=f"a{end}"):
        write_volume(noisy(), tmp_path / f"a{end}")
    write_volume(noisy(), tmp_path / f"a{end}", overwrite=True)
    assert np.array_equal(read_volume(tmp_path / f"a{end}").voxels, noisy().voxels)


def test_a_file_is_written_over_itself(tmp_path: Path) -> None:
    write_volume(noisy(), tmp_path / "a.nii")
    write_volume(read_volume(tmp_path / "a.nii"), tmp_path / "a.nii", overwrite=True)
    assert np.array_equal(read_volume(tmp_path / "a.nii").voxels, noisy().voxels)


@pytest.mark.parametrize("name", ["ü" * 122 + ".nii.gz", "x" * 244 + ".nii.gz", "a b'c\"d.nii", "\udcff.nii"])
def test_names_of_any_kind_and_251_bytes_are_written_and_read(tmp_path: Path, name: str) -> None:
    write_volume(noisy(), tmp_path / name)
    assert np.array_equal(read_volume(tmp_path / name).voxels, noisy().voxels)


@pytest.mark.parametrize("name", ["a.gif", "a.hdr", "a.img", "a", "a.nii.bz2", "a.dcm"])
def test_formats_that_are_not_written_are_refused_with_those_that_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match=r"no image format is known.*expected \.nii\.gz, \.nii, \.mha"):
        write_volume(noisy(), tmp_path / name)


def test_too_little_memory_is_one_line_and_the_machines_fault(tmp_path: Path) -> None:
    write_volume(Volume(np.zeros((512, 512, 400), "i2"), np.eye(4)), tmp_path / "a.nii")
    code = (
        "import resource, sys; from medp2p.io import read_volume; from medp2p.errors import FileError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))\n"
        "try: read_volume(sys.argv[1])\n"
        "except FileError as error: print(error.exit_code, error)\n"
    )
    assert run(code, tmp_path / "a.nii").startswith(f"1 {tmp_path}/a.nii: not enough memory")
