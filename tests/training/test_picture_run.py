"""A training on pictures: learnt, resumed, scored per region, and 16 bits back as 16 bits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import medp2p
from medp2p.data.phantom_pictures import write_facades
from medp2p.errors import ConfigError
from medp2p.io import read_volume, write_volume
from medp2p.picture import picture, pixels_of
from medp2p.training import evaluate_run, train
from medp2p.translation import translate

SMALL = {
    "generator": {"kind": "resnet_6", "channels": 8, "dropout": False},
    "discriminator": {"kind": "patch", "channels": 4, "layers": 2},
}


def written(folder: Path, **sections: Any) -> Path:
    path = folder / "pictures.yaml"
    path.write_text("\n".join(f"{name}: {json.dumps(section)}" for name, section in {**SMALL, **sections}.items()))
    return path


@pytest.fixture(scope="module")
def facades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Façades of 40 x 40 pixels in the folders of the reference, and a configuration that trains on them."""
    folder = tmp_path_factory.mktemp("facades")
    write_facades(folder / "data", cases=10, size=40)
    return written(
        folder,
        data={
            "kind": "pictures", "sources": ["label"], "target": "photo", "folder": "data",
            "side_by_side": ["photo", "label"], "files": {"regions": "regions"},
        },
        regions={"names": "data/labels.yaml", "weights": {"window": 2.0}},
        preparation={"resize": [36, 36], "size": [32, 32]},
        augmentation={"flip": 0.5},
        training={"epochs": 14, "decay_epochs": 4, "batch_size": 2, "learning_rate": 0.002, "precision": "fp32",
                  "validate_every": 9},
        evaluation={"best_by": {"metric": "psnr", "region": "volume"}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(facades: Path) -> medp2p.Run:
    return train(facades, run=facades.parent / "runs/straight", device="cpu")


def test_facades_are_learnt_better_than_by_copying_the_drawing(run: medp2p.Run, facades: Path) -> None:
    done = evaluate_run(run, output=facades.parent / "scores", split="test", device="cpu")
    assert done.scores.cases == ("test_facade_002", "test_facade_007")
    assert {"sky", "wall", "window", "weighted", "outside"} <= set(done.scores.regions)
    for case in done.scores.cases:
        both = pixels_of(read_volume(facades.parent / f"data/test/{case.removeprefix('test_')}.png"))
        photo, drawing = picture(both[:, :40]), picture(both[:, 40:])
        copied = medp2p.evaluate(drawing, photo).value("case", "volume", "psnr")
        learnt = done.scores.value(case, "volume", "psnr")
        assert copied is not None
        assert learnt is not None
        assert learnt > copied + 5


def test_a_run_of_pictures_says_what_they_were_and_holds_none_of_their_places(run: medp2p.Run) -> None:
    config = (run.folder / "config.yaml").read_text()
    assert "photo.red, photo.green, photo.blue" in config
    assert "bits: {label: 8, photo: 8}" in config
    assert "facades" not in config
    assert run.scores is not None
    assert run.scores.protocol.name == "picture"
    assert (run.folder / "samples").is_dir()


def test_a_finished_run_goes_on_to_nothing_with_the_same_pictures(run: medp2p.Run, facades: Path) -> None:
    before = (run.folder / "last.pt").read_bytes()
    train(facades, run=run.folder, device="cpu", resume=True)
    assert (run.folder / "last.pt").read_bytes() == before


def test_a_finished_run_refuses_pictures_that_changed(run: medp2p.Run, facades: Path, tmp_path: Path) -> None:
    path = facades.parent / "data/train/facade_001.png"
    before = path.read_bytes()
    write_volume(picture(255 - pixels_of(read_volume(path))), path, overwrite=True)
    try:
        with pytest.raises(ConfigError, match="files of this case are others: label, photo"):
            train(facades, run=run.folder, device="cpu", resume=True)
    finally:
        path.write_bytes(before)


def test_radiographs_of_16_bits_come_back_in_16_bits(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 32))
    for number in range(4):
        chest = 4095 * np.exp(-((x - 0.1 * number) ** 2) - y**2)
        for name, noise in (("low", 200), ("full", 10)):
            values = chest + np.random.default_rng(number).normal(0, noise, chest.shape)
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            pixels = np.clip(np.rint(values), 0, 4095).astype(np.uint16)
            write_volume(picture(pixels), tmp_path / f"data/{name}/p{number}_pa.png")
    config = written(
        tmp_path,
        data={"kind": "pictures", "sources": ["low"], "target": "full", "folder": "data", "patient": "^([^_]+)",
              "split": {"validation": 0.25, "test": 0.25}},
        preparation={"size": [16, 16]},
        intensity={name: {"kind": "window", "low": 0, "high": 4095} for name in ("low", "full")},
        training={"epochs": 2, "decay_epochs": 0, "precision": "fp32"},
    )  # fmt: skip
    run = train(config, run=tmp_path / "runs/radiograph", device="cpu")
    given = tmp_path / "data/low/p0_pa.png"
    translate(run, given, tmp_path / "made.png", device="cpu")
    made = read_volume(tmp_path / "made.png")
    assert made.voxels.dtype == np.uint16
    assert made.shape == (40, 32, 1)
    assert made.voxels.max() > 255
    assert json.loads((tmp_path / "made.json").read_text())["unit"] == "grey levels of 16 bits"
    assert run.scores is not None
    assert {row["data_range"] for row in run.scores} == {65535}
