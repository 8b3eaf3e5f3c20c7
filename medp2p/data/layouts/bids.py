"""Cases of a BIDS data set: `sub-01/[ses-1/]anat/sub-01_[ses-1_]T1w.nii.gz`, and of its derivatives.

Source: Brain Imaging Data Structure 1.10, entities and derivatives.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from medp2p.data.layouts.tree import TreeCase, as_case, gathered, image_paths, roles_of
from medp2p.errors import Fault
from medp2p.io import image_stem

SUFFIXES = {"t1": "T1w", "t2": "T2w", "flair": "FLAIR", "pd": "PDw", "ct": "ct"}
"""Suffixes of the channels that are usually called so; BIDS has none for CT yet."""
_CASE, _ENTITIES = r"(?P<case>sub-[A-Za-z0-9]+(?:_ses-[A-Za-z0-9]+)?)", r"(?P<rest>(?:_[A-Za-z]+-[A-Za-z0-9]+)*)"
_NAME = re.compile(_CASE + _ENTITIES + r"_(?P<suffix>[A-Za-z0-9]+)")
_NO_SCANS = ("derivatives", "sourcedata", "code", "stimuli", "phenotype")


def bids_cases(
    folder: Path, channels: Sequence[str], files: Mapping[str, Sequence[str]]
) -> tuple[list[TreeCase], list[Fault]]:
    """A case for each subject and session.

    What `data.files` says of a channel is a suffix, with the entities that tell its file from others
    (`acq-mprage_T1w`), after the folder of a derivative where it lies in one (`derivatives/masks/label-lesion_mask`).
    """
    wanted = {role: said.replace("{case}_", "") for role, said in _said(channels, files).items()}
    cases, faults = gathered(folder, _matched(folder, wanted))
    return [as_case(case, case.split("_")[0], roles) for case, roles in cases.items()], faults


def suffixes_of(channels: Sequence[str], files: Mapping[str, Sequence[str]]) -> list[str]:
    """What the files of each channel end in.

    Examples:
        >>> suffixes_of(["t1", "mr", "ct"], {"mr": ["acq-mprage_T1w"]})
        ['T1w', 'acq-mprage_T1w', 'ct']
    """
    said = _said(channels, files)
    return [said[channel] for channel in channels]


def _said(channels: Sequence[str], files: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {
        role: SUFFIXES.get(said.lower(), said) if role in channels and role not in files else said
        for role, said in roles_of(channels, files, "{channel}").items()
    }


def _matched(folder: Path, wanted: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Case, role and path of every file; one whose entities are those written and no others goes before the rest."""
    for role, said in wanted.items():
        place, words = PurePosixPath(said).parent.as_posix().removeprefix("."), image_stem(said).split("_")
        entities, suffix = set(words[:-1]), words[-1]
        exact: dict[str, list[str]] = {}
        loose: dict[str, list[str]] = {}
        for path in image_paths(folder, below=(place,), leave_out=_NO_SCANS if not place else ()):
            found = _NAME.fullmatch(image_stem(path))
            if not found or found["suffix"] != suffix:
                continue
            there = set(found["rest"].split("_")) - {""}
            if entities <= there:
                (exact if entities == there else loose).setdefault(found["case"], []).append(path)
        for case in sorted(exact.keys() | loose.keys()):
            for path in exact.get(case) or loose[case]:
                yield case, role, path
