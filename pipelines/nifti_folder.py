"""A folder of scans in, a folder of predictions out, with scores where acquired scans are at hand.

Uses the public face of medp2p alone.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import medp2p

logger = logging.getLogger(__name__)


def translate_folder(
    run: str | Path,
    scans: str | Path,
    output: str | Path,
    *,
    references: str | Path | None = None,
    regions: str | Path | None = None,
    names: str | Path | None = None,
    protocol: str = "auto",
    device: str = "auto",
) -> medp2p.evaluation.Scores | None:
    """Translates every image of a folder, and scores the predictions by the acquired scans of the same names.

    Args:
        run: A run folder or a generator.safetensors.
        scans: A folder of image files.
        output: Gets `predicted/`, an image for each scan, and `scores/`. What is finished is kept.
        references: A folder of acquired scans, named as the inputs are.
        regions: A folder of label maps, named as the inputs are.
        names: The label table of these maps.
        protocol: As in `medp2p.evaluate`.
        device: As in `medp2p.translate`.

    Returns:
        The scores; None without references.
    """
    predicted = Path(output) / "predicted"
    done = medp2p.translate(run, scans, predicted, device=device)
    logger.info("%d made, %d kept, in %s", len(done.made), len(done.kept), predicted)
    if references is None:
        return None
    scored = medp2p.evaluation.evaluate_files(
        predicted,
        references,
        regions=[regions] if regions else [],
        names=names,
        protocol=protocol,
        output=Path(output) / "scores",
        overwrite=True,
    )
    scored.check()
    return scored.scores


def main(words: Sequence[str] | None = None) -> int:
    """The same from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("scans")
    parser.add_argument("output")
    for name in ("references", "regions", "names"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--protocol", default="auto")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        scores = translate_folder(**vars(options))
    except medp2p.Medp2pError as error:
        print(*(f"error: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
        return error.exit_code
    for row in scores.summary() if scores else ():
        if row["metric"] in ("mae", "psnr"):
            print(row["region"], row["metric"], row["mean"], row["unit"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
