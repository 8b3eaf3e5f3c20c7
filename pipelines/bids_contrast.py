"""A missing contrast made for every subject of a BIDS data set, as a derivative; public face of medp2p alone."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import medp2p

logger = logging.getLogger(__name__)

SUFFIXES = {"t1": "T1w", "t2": "T2w", "flair": "FLAIR", "pd": "PDw"}


@dataclass(frozen=True)
class Made:
    """What became of the subjects.

    Attributes:
        images: The images that are there now, made or finished before.
        has_it: Cases that have the contrast, acquired, and were left alone.
        lacking: Cases that lack a source, by the sources that they lack.
        faults: What was refused; it stopped no other.
    """

    images: tuple[Path, ...]
    has_it: tuple[str, ...]
    lacking: Mapping[str, tuple[str, ...]]
    faults: tuple[medp2p.Fault, ...]


def make_contrast(
    run: str | Path,
    bids: str | Path,
    output: str | Path,
    *,
    files: Mapping[str, str] | None = None,
    everyone: bool = False,
    device: str = "auto",
    overwrite: bool = False,
) -> Made:
    """Makes the target of a model for every subject and session that has its sources and lacks it.

    Given again after an interruption it goes on where it stopped.

    Args:
        run: A run folder or a generator.safetensors with one target.
        bids: The root of a BIDS data set.
        output: Becomes a derivative data set: `sub-01/anat/sub-01_desc-synthetic_FLAIR.nii.gz` with its sidecar,
            dataset_description.json, and a README that says what the images are not.
        files: The suffix of each channel, with the entities that tell its file from others, as `{"t1": "acq-x_T1w"}`.
        everyone: Also for those who have it, to compare.
        device: As in `medp2p.translate`.
        overwrite: Replace images that are there.

    Raises:
        medp2p.Medp2pError: The model or the data set cannot be used, or holds nobody who has every source.
    """
    said = medp2p.Translator.load(run, device=device).description
    if len(said.targets) != 1:
        raise medp2p.ModelError(run, "a model with several targets", found=", ".join(said.targets), expected="one",
                                fix="use a model that makes one contrast")  # fmt: skip
    (target,) = said.targets
    root, folder = Path(bids), Path(output)
    cases = medp2p.list_cases(root, [*said.sources, target], layout="bids", files=files)
    wanted = [case for case in cases if everyone or target not in case.files]
    lacking = {case.id: tuple(name for name in said.sources if name not in case.files) for case in wanted}
    whole = [case for case in wanted if not lacking[case.id]]
    if not whole:
        raise medp2p.FileError(root, "nobody has every source and lacks the target", found=f"{len(cases)} cases",
                               expected=", ".join(said.sources), fix="say which files are meant")  # fmt: skip
    suffix = (files or {}).get(target, SUFFIXES.get(target.lower(), target)).split("_")[-1]
    _describe(folder, root, run)
    images: list[Path] = []
    faults: list[medp2p.Fault] = []
    for case in whole:
        image = folder.joinpath(*case.id.split("_"), "anat", f"{case.id}_desc-synthetic_{suffix}.nii.gz")
        image.parent.mkdir(parents=True, exist_ok=True)
        sources = {name: case.files[name] for name in said.sources}
        try:
            medp2p.translate(run, sources, image, device=device, overwrite=overwrite)
        except medp2p.Medp2pError as error:
            faults += error.faults
            continue
        _add_to_sidecar(image, [path.relative_to(root) for path in sources.values()], hu=said.intensity[target].hu)
        logger.info("%s", image)
        images.append(image)
    has_it = tuple(case.id for case in cases if case not in wanted)
    return Made(tuple(images), has_it, {case: names for case, names in lacking.items() if names}, tuple(faults))


def _describe(folder: Path, root: Path, run: str | Path) -> None:
    """dataset_description.json and README, which every data set has."""
    inside = root.resolve() in folder.resolve().parents
    _write_json(folder / "dataset_description.json", {
        "Name": "Synthetic scans",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "medp2p", "Version": medp2p.__version__, "Description": "pix2pix on paired scans"}],
        **({"DatasetLinks": {"raw": os.path.relpath(root.resolve(), folder.resolve())}} if inside else {}),
    })  # fmt: skip
    _write(folder / "README.md", medp2p.limits_card(run))


def _add_to_sidecar(image: Path, sources: Sequence[Path], *, hu: bool) -> None:
    """What BIDS wants to know, beside what medp2p says of the image already."""
    sidecar = image.with_name(image.name.removesuffix(".nii.gz") + ".json")
    content: dict[str, Any] = json.loads(sidecar.read_text(encoding="utf-8"))
    _write_json(sidecar, content | {
        "Description": "Synthetic image made by a neural network, not acquired. Research use only.",
        "Sources": [f"bids:raw:{path.as_posix()}" for path in sources],
        "Units": "HU" if hu else "arbitrary",
    })  # fmt: skip


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    _write(path, json.dumps(content, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    """The whole text or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def main(words: Sequence[str] | None = None) -> int:
    """The same from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("bids", help="the root of a BIDS data set")
    parser.add_argument("-o", "--output", required=True, help="usually BIDS/derivatives/medp2p")
    parser.add_argument("--file", action="append", default=[], metavar="CHANNEL=SUFFIX", help="such as t1=acq-x_T1w")
    parser.add_argument("--everyone", action="store_true", help="also for subjects that have the contrast")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--overwrite", action="store_true")
    options = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    files = {name: suffix for name, _, suffix in (word.partition("=") for word in options.file)}
    try:
        made = make_contrast(
            options.run, options.bids, options.output, files=files, everyone=options.everyone, device=options.device,
            overwrite=options.overwrite,
        )  # fmt: skip
    except medp2p.Medp2pError as error:
        print(*(f"error: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
        return error.exit_code
    for case, names in made.lacking.items():
        logger.warning("%s lacks %s", case, ", ".join(names))
    print(f"{len(made.images)} made, {len(made.has_it)} have it, {len(made.lacking)} lack a source")
    for fault in made.faults:
        print(f"error: {fault}", file=sys.stderr)
    return 2 if made.faults else 0


if __name__ == "__main__":
    sys.exit(main())
