"""The curves of a run: `history.csv`, a row per epoch, and `history.png`, the same to look at."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medp2p.io.atomic import write_bytes, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("epoch", "learning_rate", "loss_g", "loss_adversarial", "loss_l1", "loss_d", "slices_per_second")
HISTORY_FILE, PICTURE_FILE = "history.csv", "history.png"

Row = Mapping[str, float | None]


def write_history(folder: Path, rows: Sequence[Row]) -> None:
    """Writes all rows anew; the columns of validations follow those that every epoch has."""
    scores = dict.fromkeys(name for row in rows for name in row if name not in COLUMNS)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, *scores])
    for row in rows:
        table.writerow([_written(row.get(name)) for name in (*COLUMNS, *scores)])
    write_text(folder / HISTORY_FILE, text.getvalue())


def _written(value: float | None) -> str:
    return "" if value is None else str(int(value)) if float(value).is_integer() else f"{value:.8g}"


def draw_history(folder: Path, rows: Sequence[Row], *, best_by: str, best_epoch: int | None, unit: str) -> None:
    """Draws losses, the score that decides, and the learning rate over the epochs.

    Args:
        folder: The run folder.
        rows: A row per epoch.
        best_by: Column of the deciding score, such as `body_mae`.
        best_epoch: Where to mark the best weights.
        unit: Of that score.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    losses, scores, rate = figure.subplots(1, 3)
    _curve(losses, rows, ["loss_adversarial", "loss_d"], "Losses of the game")
    l1 = losses.twinx()
    _curve(l1, rows, ["loss_l1"], "", colour="#D55E00")
    l1.set_ylabel("loss_l1", color="#D55E00")
    _curve(scores, rows, [best_by], f"Validation: {best_by.replace('_', ' ')}", marker="o")
    scores.set_ylabel(unit)
    if not any(row.get(best_by) is not None for row in rows):
        scores.text(
            0.5, 0.5, "no case is held out\nfor validation", transform=scores.transAxes, ha="center", va="center"
        )
    if best_epoch is not None:
        scores.axvline(best_epoch, linestyle=":", color="black", label=f"best, epoch {best_epoch}")
        scores.legend(fontsize=8)
    _curve(rate, rows, ["learning_rate"], "Learning rate")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    write_bytes(folder / PICTURE_FILE, picture.getvalue())


def _curve(
    axes: "Axes", rows: Sequence[Row], names: Sequence[str], title: str, *, colour: str | None = None, marker: str = ""
) -> None:
    for name in names:
        points = [(row["epoch"] or 0.0, value) for row in rows if (value := row.get(name)) is not None]
        axes.plot(
            [epoch for epoch, _ in points],
            [value for _, value in points],
            label=name,
            color=colour,
            marker=marker,
            markersize=3,
        )
    axes.set_xlabel("epoch")
    if title:
        axes.set_title(title, fontsize=10)
    if len(names) > 1:
        axes.legend(fontsize=8)
