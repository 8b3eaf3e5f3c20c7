"""What a region gains from a heavier weight in the loss, and what the rest pays for it. Public face of medp2p alone."""

import argparse
import csv
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import medp2p

logger = logging.getLogger(__name__)

REST = "body"


@dataclass(frozen=True)
class Point:
    """The scores of one weight on the held-out patients; means over patients, empty where nothing could be scored.

    Attributes:
        weight: Of the region in the loss.
        cases: Patients in whom the region could be scored.
        region_mae: Mean absolute error in the region.
        rest_mae: Mean absolute error in the whole body.
        region_me: Mean error in the region: below 0 it comes out too dark.
        rest_psnr: Of the whole body, in dB.
    """

    weight: float
    cases: int
    region_mae: float | None
    rest_mae: float | None
    region_me: float | None
    rest_psnr: float | None


def sweep(
    config: str | Path,
    output: str | Path,
    *,
    region: str = "lesion",
    weights: Sequence[float] = (1, 3, 10, 30),
    split: str = "test",
    device: str = "auto",
    settings: Sequence[str] = (),
) -> list[Point]:
    """Trains a model for each weight of a region, all else equal, and puts gain and loss side by side.

    Given again after an interruption it goes on where it stopped.

    Args:
        config: A configuration whose label table has the region.
        output: Gets `weight_<w>/` (run/, scores/), `tradeoff.csv` and `tradeoff.png`.
        region: The region whose weight is swept.
        weights: The weights; 1 is the loss without emphasis.
        split: The patients to score: `test`, or `validation` to choose a weight by them.
        device: As in `medp2p.train`.
        settings: Further `section.key=value`, for every run.

    Returns:
        A point for each weight, in their order.

    Raises:
        medp2p.Medp2pError: The configuration or a case cannot be used, or nobody is held out.
    """
    folder, points = Path(output), []
    for weight in weights:
        place = folder / f"weight_{weight:g}"
        logger.info("weight %g", weight)
        set_ = [*settings, f"regions.weights.{region}={weight:g}"]
        run = medp2p.train(config, run=place / "run", resume=True, set=set_, device=device)
        points.append(_point(weight, region, _scores(run, place / "scores", split, device)))
    _write_table(folder / "tradeoff.csv", points)
    _plot(folder / "tradeoff.png", points, region)
    return points


def _scores(run: medp2p.Run, folder: Path, split: str, device: str) -> medp2p.evaluation.Scores:
    """The scores of the held-out patients, read where they are there already."""
    if (folder / "scores.json").exists():
        return medp2p.evaluation.read_scores(folder)
    done = medp2p.evaluate_run(run, output=folder, split=split, device=device)
    done.check()
    return done.scores


def _point(weight: float, region: str, scores: medp2p.evaluation.Scores) -> Point:
    rows = {(row["region"], row["metric"]): row for row in scores.summary()}

    def mean(name: str, metric: str) -> float | None:
        value = rows.get((name, metric), {}).get("mean")
        return None if value is None else float(value)

    scored = rows.get((region, "mae"), {}).get("cases") or 0
    return Point(weight, int(scored), mean(region, "mae"), mean(REST, "mae"), mean(region, "me"), mean(REST, "psnr"))


def _write_table(path: Path, points: Sequence[Point]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Point)])
        writer.writeheader()
        writer.writerows(asdict(point) for point in points)


def _plot(path: Path, points: Sequence[Point], region: str) -> None:
    """Error in the region over error in the body: down is gain, to the right is its price."""
    from matplotlib.figure import Figure

    known = [point for point in points if point.region_mae is not None and point.rest_mae is not None]
    figure = Figure(figsize=(5.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([p.rest_mae for p in known], [p.region_mae for p in known], "o-", color="#446")
    for point in known:
        axes.annotate(f" {point.weight:g}", (point.rest_mae, point.region_mae))
    axes.set_xlabel(f"MAE in the {REST}")
    axes.set_ylabel(f"MAE in {region}")
    axes.set_title(f"weight of {region} in the loss")
    figure.savefig(path, dpi=150, metadata={"Software": None})


def main(words: Sequence[str] | None = None) -> int:
    """The same from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--region", default="lesion")
    parser.add_argument("--weights", type=float, nargs="+", default=[1, 3, 10, 30])
    parser.add_argument("--split", default="test", choices=("test", "validation"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=VALUE")
    options = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        points = sweep(
            options.config, options.output, region=options.region, weights=options.weights, split=options.split,
            device=options.device, settings=options.set,
        )  # fmt: skip
    except medp2p.Medp2pError as error:
        print(*(f"error: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
        return error.exit_code
    for point in points:
        inside, rest = f"{options.region} mae {_said(point.region_mae)}", f"{REST} mae {_said(point.rest_mae)}"
        print(f"weight {point.weight:<6g} {inside}, {rest}, {point.cases} cases")
    print(Path(options.output) / "tradeoff.png")
    return 0


def _said(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    sys.exit(main())
