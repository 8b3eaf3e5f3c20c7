"""The curves of a run."""

import csv

from medp2p.training.history import draw_history, write_history

ROWS = [
    {"epoch": 1.0, "learning_rate": 2e-4, "loss_g": 40.0, "loss_adversarial": 1.0, "loss_l1": 0.4, "loss_d": 0.7,
     "slices_per_second": 3.25},
    {"epoch": 2.0, "learning_rate": 1e-4, "loss_g": 30.0, "loss_adversarial": 1.1, "loss_l1": 0.3, "loss_d": 0.6,
     "slices_per_second": 3.5, "body_mae": 51.5, "bone_psnr": None},
]  # fmt: skip


def test_every_epoch_has_a_row_and_validations_have_columns(tmp_path) -> None:
    write_history(tmp_path, ROWS)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == (
        "epoch,learning_rate,loss_g,loss_adversarial,loss_l1,loss_d,slices_per_second,body_mae,bone_psnr"
    )
    rows = list(csv.DictReader(lines))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert (rows[0]["body_mae"], rows[1]["body_mae"], rows[1]["bone_psnr"]) == ("", "51.5", "")


def test_the_curves_are_a_picture(tmp_path) -> None:
    draw_history(tmp_path, ROWS, best_by="body_mae", best_epoch=2, unit="HU")
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
