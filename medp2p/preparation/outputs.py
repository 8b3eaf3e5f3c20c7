"""What is written of a case: its images, and beside them what made them, so that finished work is known again."""

import hashlib
import json
import logging
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from medp2p.errors import OutputExistsError
from medp2p.io import write_volume
from medp2p.io.atomic import atomic_folder, refuse_existing, write_json
from medp2p.io.json_read import STATEMENT_BYTES, read_object
from medp2p.preparation.alignment import Aligned
from medp2p.preparation.options import PreparationOptions
from medp2p.preparation.quality import FAILED

logger = logging.getLogger(__name__)

METHOD = 1
"""Raised whenever the same scans and options would give other voxels: what an older one made is then not kept."""
FAILED_FOLDER = ".failed"
"""Where cases with the verdict `failed` go: names with a dot are passed over wherever cases are looked for."""
BESIDE = "preparation"
"""The folder in a case for all that is no image: statement, transforms, pictures."""
STATEMENT = "case.json"


def write_case(aligned: Aligned, folder: Path, said: dict[str, Any], *, overwrite: bool) -> None:
    """Write a case as a whole folder, or nothing.

    Args:
        aligned: What is written.
        folder: `<cohort>/<case>`, or the same under `.failed`.
        said: Its statement; the hashes of the files are added.
        overwrite: Replace a folder that is there, if it is one of ours; one under `.failed` is replaced in any case.

    Raises:
        OutputExistsError: There is a folder, and it is not ours or was not to be replaced.
        FileError: It cannot be written.
    """
    folder.parent.mkdir(exist_ok=True)
    ours = read_statement(folder) is not None
    with atomic_folder(
        folder, overwrite=overwrite or folder.parent.name == FAILED_FOLDER, replaces=lambda name: ours
    ) as temporary:
        grid = aligned.volumes[aligned.onto]
        images = dict(aligned.volumes)
        if aligned.body is not None:
            images["body"] = grid.with_voxels(aligned.body)
        if aligned.regions is not None:
            images["regions"] = grid.with_voxels(aligned.regions)
        for name, volume in images.items():
            write_volume(volume, temporary / f"{name}.nii.gz")
        beside = temporary / BESIDE
        beside.mkdir()
        for name, transform in aligned.transforms.items():
            sitk.WriteTransform(transform, str(beside / f"{name}.tfm"))
        for name, picture in aligned.pictures.items():
            picture.save(beside / f"{name}.png")
        hashes = {f"{name}.nii.gz": _file_sha256(temporary / f"{name}.nii.gz") for name in images}
        write_json(beside / STATEMENT, said | {"output_sha256": hashes})


def statement(aligned: Aligned, hashes: Mapping[str, str], options: PreparationOptions) -> dict[str, Any]:
    """What a case was made of, and how well; no path, and nothing of the files' headers."""
    return {
        "medp2p": "prepare",
        "note": "Research use only. Pictures show the face.",
        "verdict": aligned.verdict,
        "reasons": list(aligned.reasons),
        "onto": aligned.onto,
        "channels": {
            name: {
                "quality": aligned.quality[name].to_dict() if name in aligned.quality else None,
                "bias_field": _bias_field(aligned, name),
            }
            for name in aligned.volumes
        },
        "transforms": f"from points of {aligned.onto} to points of each channel, LPS, mm",
        "names": {str(label): name for label, name in aligned.names.items()},
        **work(hashes, options),
        "versions": versions(),
    }


def work(hashes: Mapping[str, str], options: PreparationOptions) -> dict[str, Any]:
    """What decides the voxels of a case."""
    return {"method": METHOD, "options": json.loads(options.model_dump_json()), "input_sha256": dict(hashes)}


def versions() -> dict[str, str]:
    """Versions of what computes, for the record."""
    packages = ("medp2p", "SimpleITK", "numpy", "scipy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def read_statement(folder: Path) -> dict[str, Any] | None:
    """The statement in the folder of a case; None where there is none, or it is not one of ours."""
    return read_ours(folder / BESIDE / STATEMENT)


def read_ours(path: Path) -> dict[str, Any] | None:
    """A JSON file that `prepare` wrote, or None."""
    found = read_object(path, most_bytes=STATEMENT_BYTES)
    return found if found is not None and found.get("medp2p") == "prepare" else None


def finished(output: Path, case_id: str, wanted: Mapping[str, Any]) -> tuple[Path, dict[str, Any]] | None:
    """The folder of a case that was made by this very work and is whole, with its statement; None where there is none.

    Raises:
        OutputExistsError: There is a folder of that name which something else made, or which was changed.
    """
    for folder in places(output, case_id):
        if not folder.exists():
            continue
        said = read_statement(folder)
        same = said is not None and all(said.get(key) == value for key, value in wanted.items())
        if said is not None and not same and folder == place_of(output, case_id, FAILED):
            continue  # a failure of other scans, which were set right since, is no result to keep
        if said is None or not same or not _is_whole(folder, said):
            raise OutputExistsError(
                folder,
                "it exists, and was not made from these scans with these options",
                fix="choose another folder, or ask for it with --overwrite",
            )
        return folder, said
    return None


def places(output: Path, case_id: str) -> tuple[Path, Path]:
    """Where a case may be: among the others, or among those that failed."""
    return output / case_id, output / FAILED_FOLDER / case_id


def place_of(output: Path, case_id: str, verdict: str) -> Path:
    """Where a case with a verdict goes."""
    return places(output, case_id)[verdict == FAILED]


def clear_other_place(folder: Path, output: Path, case_id: str) -> None:
    """Remove what an earlier run wrote of a case whose verdict was another then."""
    for place in places(output, case_id):
        if place != folder and read_statement(place) is not None:
            shutil.rmtree(place, ignore_errors=True)


def check_place(output: Path, case_id: str) -> None:
    """Raise before long work where a case could not be written even if asked to be replaced.

    Raises:
        OutputExistsError: A folder of that name holds what others wrote.
        FileError: It is no place for a folder.
    """
    for folder in places(output, case_id):
        if folder.is_dir() and any(folder.iterdir()) and read_statement(folder) is None:
            raise OutputExistsError(folder, "the folder holds files of others", fix="choose another folder")
        if folder.exists() and not folder.is_dir():
            refuse_existing(folder)


def _bias_field(aligned: Aligned, name: str) -> dict[str, Any] | None:
    found = aligned.bias_fields.get(name)
    if found is None:
        return None
    return {"lowest": round(found.lowest, 4), "highest": round(found.highest, 4), "left_as_scanned": found.note or None}


def _is_whole(folder: Path, said: Mapping[str, Any]) -> bool:
    """Whether every file still holds what its statement speaks of."""
    hashes = said.get("output_sha256")
    if not isinstance(hashes, dict):
        return False
    try:
        return all(_file_sha256(folder / name) == sha256 for name, sha256 in hashes.items())
    except OSError:
        return False


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
