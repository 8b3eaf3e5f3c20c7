"""Scores of pictures are scikit-image's, over the whole and per region of a label picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import medp2p
from medp2p.errors import ConfigError, FileError, GeometryError, Medp2pError
from medp2p.evaluation import evaluate_files
from medp2p.io import read_volume, write_volume
from medp2p.picture import picture, pixels_of
from medp2p.regions import Regions
from medp2p.volume import Volume

SIZE = (30, 40)
Pixels = NDArray[Any]


def pictures(colours: int, kind: str) -> tuple[Pixels, Pixels]:
    """Reference, and a prediction that is near it."""
    rng, most = np.random.default_rng(0), np.iinfo(kind).max
    shape = SIZE if colours == 1 else (*SIZE, colours)
    reference = np.linspace(0, most, SIZE[0] * SIZE[1]).reshape(SIZE)[(..., *[None] * (colours > 1))]
    reference = np.broadcast_to(reference, shape) + rng.normal(0, most / 20, shape)
    predicted = reference + rng.normal(0, most / 30, shape)
    return tuple(np.clip(np.rint(each), 0, most).astype(kind) for each in (predicted, reference))  # type: ignore[return-value]


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(("kind", "most"), [("u1", 255), ("u2", 65535)])
def test_the_scores_of_a_whole_picture_are_those_of_scikit_image(colours: int, kind: str, most: int) -> None:
    predicted, reference = pictures(colours, kind)
    scores = medp2p.evaluate(picture(predicted), picture(reference))
    axis = 2 if colours == 3 else None
    similarity, map_ = structural_similarity(predicted, reference, data_range=most, channel_axis=axis, full=True)
    expected = {
        "mae": np.abs(predicted.astype(float) - reference).mean(),
        "psnr": peak_signal_noise_ratio(reference, predicted, data_range=most),
        "ssim": similarity,
    }
    for metric, value in expected.items():
        assert scores.value("case", "volume", metric) == pytest.approx(value, rel=1e-9)
        assert scores.value("case", "body", metric) == pytest.approx(value, rel=1e-9)
    rows = list(scores)
    assert {row["protocol"] for row in rows} == {"picture"}
    assert {row["data_range"] for row in rows} == {most}
    assert rows[0]["voxels"] == SIZE[0] * SIZE[1]
    assert rows[0]["unit"] == "level"

    labels = np.zeros(SIZE, np.uint8)
    labels[:14, 5:33] = 3
    found = medp2p.evaluate(
        picture(predicted), picture(reference), Regions(labels.T[:, :, None], np.eye(4), {3: "roof"})
    )
    here = labels == 3
    assert found.value("case", "roof", "mae") == pytest.approx(np.abs(predicted.astype(float) - reference)[here].mean())
    inner = np.zeros(SIZE, bool)
    inner[3:-3, 3:-3] = True
    assert found.value("case", "roof", "ssim") == pytest.approx(map_[here & inner].mean(), rel=1e-9)
    assert next(row for row in found if row["region"] == "roof")["voxels"] == here.sum()


def test_a_picture_smaller_than_a_window_has_no_ssim_and_says_why() -> None:
    scores = list(medp2p.evaluate(picture(np.zeros((5, 40), np.uint8)), picture(np.ones((5, 40), np.uint8))))
    row = next(row for row in scores if row["metric"] == "ssim")
    assert row["value"] is None
    assert "5" in str(row["reason"])


def test_pictures_and_scans_are_never_scored_as_one_another() -> None:
    predicted, reference = map(picture, pictures(3, "u1"))
    scan = Volume(np.zeros((4, 5, 6)), np.eye(4))
    grey, deep = picture(pictures(1, "u1")[0]), picture(pictures(3, "u2")[0])
    for given, wanted, options, error in (
        (predicted, reference, {"protocol": "mr"}, ConfigError),
        (scan, scan, {"protocol": "picture"}, ConfigError),
        (grey, reference, {}, GeometryError),
        (deep, reference, {}, GeometryError),
        (predicted, reference, {"regions": Regions(np.ones((4, 5, 1), int), np.eye(4))}, GeometryError),
        (predicted, reference, {"body": np.ones((9, 9, 1))}, GeometryError),
    ):
        with pytest.raises(error):
            medp2p.evaluate(given, wanted, **options)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    predicted, reference = pictures(3, "u1")
    labels = np.tile(np.array([1, 2], np.uint8), (SIZE[0], SIZE[1] // 2))
    for name in ("a", "b"):
        for folder, pixels in (("predicted", predicted), ("reference", reference), ("labels", labels)):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_volume(picture(pixels), tmp_path / folder / f"{name}.png")
    return tmp_path


def test_folders_of_pictures_become_scores_per_region_and_a_report_with_pictures(folders: Path) -> None:
    done = evaluate_files(folders / "predicted", folders / "reference", [folders / "labels"], output=folders / "scores",
                          names={1: "wall", 2: "door"})  # fmt: skip
    assert done.scores.regions[:4] == ("volume", "body", "wall", "door")
    assert done.scores.protocol.name == "picture"
    assert (done.scores.value("a", "wall", "psnr") or 0) > 20
    report = (folders / "scores/report.html").read_text()
    assert report.count("data:image/png;base64") >= 2
    assert "scikit-image" in report


def test_a_picture_that_cannot_be_scored_is_named_and_stops_no_other(folders: Path) -> None:
    write_volume(picture(pictures(1, "u1")[0]), folders / "predicted/b.png", overwrite=True)
    done = evaluate_files(folders / "predicted", folders / "reference", output=folders / "scores")
    assert done.scores.cases == ("a",)
    assert "b.png" in str(done.faults[0])
    assert "found 40 x 30 pixels, 1 x 8 bits, expected 40 x 30 pixels, 3 x 8 bits" in str(done.faults[0])


def test_label_pictures_in_colour_or_of_another_size_are_refused(folders: Path) -> None:
    for pixels in (pictures(3, "u1")[0], np.ones((9, 9), np.uint8)):
        write_volume(picture(pixels), folders / "labels/a.png", overwrite=True)
        with pytest.raises(Medp2pError, match=r"a\.png"):
            evaluate_files(
                folders / "predicted/a.png", folders / "reference/a.png", [folders / "labels/a.png"],
                output=folders / "scores",
            )  # fmt: skip
    assert not (folders / "scores").exists()


def test_the_viewer_is_refused_before_pictures_are_scored(folders: Path) -> None:
    with pytest.raises(FileError, match="the viewer shows scans"):
        evaluate_files(folders / "predicted", folders / "reference", output=folders / "scores", viewer=True)
    assert not (folders / "scores").exists()


def test_a_partner_that_is_missing_is_named(folders: Path) -> None:
    (folders / "reference/b.png").unlink()
    done = evaluate_files(folders / "predicted", folders / "reference", output=folders / "scores")
    with pytest.raises(FileError, match=r"b\.png: b: the reference of this prediction is missing"):
        done.check()


def test_of_references_side_by_side_the_half_asked_for_counts(folders: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        alone = pixels_of(read_volume(folders / f"reference/{name}.png"))
        both = np.concatenate([alone, 255 - alone], axis=1)
        (folders / "pairs").mkdir(exist_ok=True)
        write_volume(picture(both), folders / f"pairs/{name}.png")
    given = folders / "predicted"
    alone = evaluate_files(given, folders / "reference", output=tmp_path / "alone")
    left = evaluate_files(given, folders / "pairs", reference_half="left", output=tmp_path / "left")
    right = evaluate_files(given, folders / "pairs", reference_half="right", output=tmp_path / "right")
    assert list(left.scores) == list(alone.scores)
    assert left.scores.value("a", "volume", "mae") != right.scores.value("a", "volume", "mae")


def test_half_of_a_scan_is_no_reference(tmp_path: Path) -> None:
    scan = Volume(np.random.default_rng(0).integers(0, 9, (8, 8, 8)).astype(np.int16), np.eye(4))
    write_volume(scan, tmp_path / "scan.nii.gz")
    with pytest.raises(FileError, match="only a picture has halves"):
        evaluate_files(tmp_path / "scan.nii.gz", tmp_path / "scan.nii.gz", reference_half="left", output=tmp_path / "o")
