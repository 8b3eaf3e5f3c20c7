"""The pictures of a case: read, cut in halves where two lie in one, and compared with what the others are."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from medp2p.config import Config, with_forms
from medp2p.data.cases import Case, listed_cases
from medp2p.errors import Fault, FileError, Medp2pError, tried
from medp2p.io import picture_extension, read_volume
from medp2p.io.picture_halves import SIDES, cut_half
from medp2p.io.picture_read import picture_form
from medp2p.picture import PictureForm, bits_of, is_picture
from medp2p.volume import Volume


def with_seen_pictures(config: Config) -> Config:
    """The configuration with a channel for each colour that its pictures have; that of scans as it is.

    What most files of a picture are counts; the others are refused when they are read, by name.

    Raises:
        Medp2pError: The cases cannot be listed.
    """
    if not config.data.pictures:
        return config
    cases, _ = listed_cases(config)
    return with_forms(config, {name: _most_common(name, cases, config) for name in config.data.images})


def read_pictures(case: Case, config: Config) -> dict[str, Volume]:
    """The pictures of one case by their names.

    Raises:
        FileError: One cannot be read, is of another depth or has other channels than those of the other cases, cannot
            be halved, or is of another size than its partner; every fault.
    """
    faults: list[Fault] = []
    whole: dict[Path, Volume] = {}
    found: dict[str, Volume] = {}
    for name, path in case.files.items():
        picture = tried(faults, _read_picture, name, path, case, config, whole)
        if picture is not None:
            found[name] = picture
    faults += _other_sizes(case, found)
    if faults:
        raise FileError.several(dict.fromkeys(faults))  # what is wrong with a file of two halves is said once
    return found


def _read_picture(name: str, path: Path, case: Case, config: Config, whole: dict[Path, Volume]) -> Volume:
    """One picture, or the half of a file that it is; a file of two is kept in `whole` for its other half."""
    if path not in whole:
        whole[path] = read_volume(path)
    check_form(path, whole[path], _wanted(name, config), key=case.id)
    return _half(path, whole[path], name, config, key=case.id)


def check_form(path: Path | None, volume: Volume, wanted: PictureForm, *, key: str | None = None) -> None:
    """Raise where a volume is not such a picture.

    Raises:
        FileError: It is a scan, or a picture of another depth or with other channels.
    """
    if not is_picture(volume):
        raise FileError(path, "a scan, where a picture is needed", key=key, found=repr(volume), expected=wanted,
                        fix="leave data.kind out for scans")  # fmt: skip
    found = PictureForm(volume.shape[2], bits_of(volume))
    if found != wanted:
        raise FileError(path, "a picture of another depth, or with other channels", key=key, found=found,
                        expected=wanted, fix="convert it to what the others are, or take it away")  # fmt: skip


def check_size(path: Path, shape: tuple[int, ...], other: Volume, *, key: str) -> None:
    """Raise where a picture is of another size than the one that it belongs to.

    Raises:
        FileError: It is.
    """
    if shape[:2] != other.shape[:2]:
        raise FileError(path, "a picture of another size than its partner", key=key,
                        found=f"{shape[0]} x {shape[1]} pixels", expected=f"{other.shape[0]} x {other.shape[1]}",
                        fix="bring both to one size")  # fmt: skip


def _wanted(name: str, config: Config) -> PictureForm:
    return PictureForm(len(config.data.images[name]), config.data.bits[name])


def _half(path: Path, volume: Volume, name: str, config: Config, *, key: str) -> Volume:
    """The half of a picture that has a name; the whole where each has a file of its own."""
    if config.data.side_by_side is None:
        return volume
    return cut_half(path, volume, SIDES[config.data.side_by_side.index(name)], key=key)


def _other_sizes(case: Case, found: Mapping[str, Volume]) -> list[Fault]:
    faults: list[Fault] = []
    first = next(iter(found.values()), None)
    for name, volume in found.items():
        try:
            if first is not None:
                check_size(case.files[name], volume.shape, first, key=case.id)
        except FileError as error:
            faults += error.faults
    return faults


def _most_common(name: str, cases: list[Case], config: Config) -> PictureForm:
    """What most files of a picture are; files that cannot be read say nothing here."""
    seen: Counter[PictureForm] = Counter()
    for case in cases:
        try:
            seen[_form(case.files[name])] += 1
        except Medp2pError:
            continue
    form = seen.most_common(1)[0][0] if seen else PictureForm(1, 8)
    return PictureForm(form.channels, config.data.bits.get(name, form.bits))


def _form(path: Path) -> PictureForm:
    if picture_extension(path):
        return picture_form(path)
    volume = read_volume(path)
    return PictureForm(volume.shape[2], bits_of(volume))


def refuse_picture(path: Path, volume: Volume, *, key: str) -> Volume:
    """The volume itself, a scan.

    Raises:
        FileError: It is a picture.
    """
    if is_picture(volume):
        raise FileError(path, "a picture, where a scan is needed", key=key, expected="a scan that says where it lies",
                        fix="write data.kind: pictures, or give the scan")  # fmt: skip
    return volume
