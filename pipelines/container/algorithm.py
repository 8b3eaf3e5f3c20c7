"""The entry point of an algorithm image, as challenges run them: scans in one folder, synthetic CTs in another.

Uses the public face of medp2p alone, no network, and writes nowhere but into the output folder.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import medp2p

logger = logging.getLogger(__name__)

SCANS, BODIES, RESULTS = "images/mri", "images/body", "images/synthetic-ct"
ENDING = ".mha"


def run_algorithm(model: str | Path, input: str | Path, output: str | Path, *, device: str = "auto") -> list[Path]:
    """Translates every scan of the input folder.

    Args:
        model: A run folder or a generator.safetensors, with one source and one target.
        input: Holds `images/mri/*.mha` and, if there are masks, `images/body/*.mha` of the same names, or one of each.
        output: Gets `images/synthetic-ct/`, a file of the same name for each scan.
        device: As in `medp2p.translate`.

    Returns:
        The files written. Outside the body they hold the low end of the target's window.

    Raises:
        medp2p.Medp2pError: There is no scan, or one cannot be translated.
    """
    scans = _images(Path(input) / SCANS)
    if not scans:
        raise medp2p.FileError(Path(input) / SCANS, f"no {ENDING} file here", fix="mount the folder with the scans")
    bodies = _bodies(scans, _images(Path(input) / BODIES))
    translator = medp2p.Translator.load(model, device=device)
    folder = Path(output) / RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, path in scans.items():
        predicted = translator(medp2p.read_volume(path))
        if name in bodies:
            predicted = _within(bodies[name], predicted, translator)
        medp2p.write_volume(predicted, folder / path.name, overwrite=True)
        logger.info("%s", folder / path.name)
        written.append(folder / path.name)
    return written


def _images(folder: Path) -> dict[str, Path]:
    """The images of a folder by their names without extension; none where there is no such folder."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.stem: path for path in found if path.suffix.lower() == ENDING and not path.name.startswith(".")}


def _bodies(scans: dict[str, Path], masks: dict[str, Path]) -> dict[str, Path]:
    """The mask of every scan: the one of its name, or the only one of the only scan."""
    if len(scans) == len(masks) == 1:
        return dict(zip(scans, masks.values(), strict=True))
    if masks and scans.keys() != masks.keys():
        odd = sorted(scans.keys() ^ masks.keys())
        raise medp2p.FileError(None, "scans and body masks do not match by name", found=", ".join(odd),
                               fix="give a mask of its name for every scan, or none at all")  # fmt: skip
    return masks


def _within(mask: Path, predicted: medp2p.Volume, translator: medp2p.Translator) -> medp2p.Volume:
    body = medp2p.read_volume(mask)
    if not body.same_grid(predicted):
        raise medp2p.GeometryError(mask, "the body mask lies on another grid than its scan", found=repr(body),
                                   expected=repr(predicted), fix="make it on the grid of the scan")  # fmt: skip
    target = translator.description.intensity[translator.description.targets[0]]
    outside = np.asarray(np.ceil(target.low) if target.hu else predicted.voxels.min(), predicted.voxels.dtype)
    return predicted.with_voxels(np.where(body.voxels > 0, predicted.voxels, outside))


def main(words: Sequence[str] | None = None) -> int:
    """The same from the command line; what the image runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="/opt/model")
    parser.add_argument("--input", default="/input")
    parser.add_argument("--output", default="/output")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        run_algorithm(options.model, options.input, options.output, device=options.device)
    except medp2p.Medp2pError as error:
        print(*(f"error: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
