"""Exact reading against nibabel's and SimpleITK's, and what checking a cohort costs beyond reading it.

    python -m benchmarks.reading [--pairs 4] [--shape 256 256 160] [--repeats 3] [--clock wall] [--keep]

One process, warm page cache, everything interleaved in one run.
"""

import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from benchmarks.pairs import add_pairs, configuration, write_pairs
from benchmarks.tables import Table, parser_of, show
from benchmarks.turns import Options, in_turns
from medp2p.data.cases import find_cases
from medp2p.data.checks import check_case
from medp2p.data.loading import load_case
from medp2p.io import read_volume
from tests.io import dicom_phantom


def reading(scan: Path, options: Options) -> Table:
    """Seconds for the voxels of one compressed scan, as nibabel reads them and to the last byte of the file."""

    def theirs() -> object:
        return np.asanyarray(nib.load(scan).dataobj)

    arms = (lambda: options.took(lambda: read_volume(scan)), lambda: options.took(theirs))
    ours, nibabel = in_turns(arms, options.repeats, warm=True)
    rows = [["nibabel", str(nibabel), "1"], ["medp2p", str(ours), str(nibabel / ours)]]
    note = f"{options.in_words()}. nibabel stops before the checksum; medp2p compares it, and looks at every voxel."
    return Table("Reading one .nii.gz", ["", "s", "× nibabel"], rows, note)


def reading_series(folder: Path, slices: int, options: Options) -> Table:
    """Seconds for a DICOM series as SimpleITK reads it, and with its geometry, its slices and its identity checked."""
    values = np.random.default_rng(0).integers(-1000, 1500, (512, 512, slices)).astype(np.int16)
    series = str(dicom_phantom.write(folder / "series", values=values))

    def theirs() -> object:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(series))
        return sitk.GetArrayFromImage(reader.Execute())

    arms = (lambda: options.took(lambda: read_volume(series)), lambda: options.took(theirs))
    ours, simpleitk = in_turns(arms, options.repeats, warm=True)
    rows = [["SimpleITK's series reader", str(simpleitk), "1"], ["medp2p", str(ours), str(simpleitk / ours)]]
    note = f"{options.in_words()}. {slices} slices of 512 x 512 pixels, not compressed."
    return Table("Reading a DICOM series", ["", "s", "× SimpleITK"], rows, note)


def checking(folder: Path, options: Options) -> Table:
    """Seconds for 100 pairs of scans: reading them, and everything that is looked at once they are read."""
    config = configuration(folder, mask=False)
    cases = find_cases(config)

    def checked() -> float:
        loaded = [load_case(case, config) for case in cases]
        return options.took(lambda: [check_case(each, config) for each in loaded])

    arms = (lambda: options.took(lambda: [load_case(case, config) for case in cases]), checked)
    read, beyond = (found * (100 / len(cases)) for found in in_turns(arms, options.repeats, warm=True))
    rows = [["reading, hashes included", str(read)], ["checks beyond it", str(beyond)]]
    note = f"{options.in_words()}, from {len(cases)} pairs."
    return Table("Checking 100 pairs of scans", ["", "s"], rows, note)


def main() -> None:
    parser = parser_of(__doc__)
    add_pairs(parser)
    parser.add_argument("--slices", type=int, default=180, help="of the DICOM series")
    given, options = Options.parsed(parser)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pairs"
        folder.mkdir()
        write_pairs(folder, given.pairs, tuple(given.shape))
        tables = [
            reading(folder / "S0" / "ct.nii.gz", options),
            reading_series(Path(place), given.slices, options),
            checking(folder, options),
        ]
    show("reading", tables, keep=given.keep)


if __name__ == "__main__":
    main()
