"""ONNX out: any batch and size, the model's own values, and a sidecar that suffices to use it."""

import hashlib
import json

import numpy as np
import pytest

from medp2p.data.framing import pad_to_size
from medp2p.data.geometry import PlaneGrid, from_planes, to_planes
from medp2p.errors import ConfigError, FileError, ModelError, OutputExistsError
from medp2p.translation import Translator, export_weights
from medp2p.translation.description import Architecture, Preparation
from medp2p.translation.onnx_export import Comparison
from medp2p.volume import Volume
from tests.translation.conftest import CT, MR, description, save

pytestmark = pytest.mark.slow
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")

ARCHITECTURES = [
    Architecture(kind="unet_128", channels=4, norm="batch", dropout=True),
    Architecture(kind="resnet_6", channels=4, norm="instance", dropout=False),
]


@pytest.mark.parametrize("generator", ARCHITECTURES, ids=lambda each: f"{each.kind}-{each.norm}")
def test_an_exported_network_gives_the_model_s_values(generator, tmp_path) -> None:
    model = save(tmp_path, description(generator=generator))
    exported = export_weights(model, tmp_path / "model.onnx")
    said = json.loads((tmp_path / "model.json").read_text())
    assert said["onnx_sha256"] == hashlib.sha256(exported.read_bytes()).hexdigest()
    assert said["compared_with_model"]["largest_difference"] <= 1e-5
    assert "esearch use only" in said["note"]
    assert str(tmp_path) not in (tmp_path / "model.json").read_text()
    shapes = onnxruntime.InferenceSession(exported).get_inputs()[0].shape
    assert isinstance(shapes[0], str)
    assert shapes[1] == 1


def test_the_sidecar_suffices_to_translate_as_the_translator_does(tmp_path) -> None:
    said = description(
        sources=("t1", "t2"),
        files={"t1": "t1.nii.gz", "t2": "t2.nii.gz", "ct": "ct.nii.gz"},
        intensity={"t1": MR, "t2": CT, "ct": CT},
        preparation=Preparation(plane="coronal", spacing_mm=(2.0, 3.0), context_slices=1),
    )
    model = save(tmp_path, said)
    exported = export_weights(model, tmp_path / "model.onnx")
    sidecar = json.loads((tmp_path / "model.json").read_text())
    draw = np.random.default_rng(0)
    arrays = {name: draw.normal(0, 300, (19, 6, 23)).astype(np.float32) for name in ("t1", "t2")}
    affine = np.diag([1.5, 2.0, 2.5, 1.0])
    wanted = Translator.load(model, device="cpu")({name: Volume(array, affine) for name, array in arrays.items()})
    np.testing.assert_allclose(_translated(exported, sidecar, arrays), wanted.voxels, atol=1)


def _translated(exported, sidecar, arrays):
    """Translation as a program would write it that has the sidecar alone; RAS scans of 1.5 x 2 x 2.5 mm."""
    grid = PlaneGrid((19, 6, 23), (1.5, 2.0, 2.5), sidecar["slices"]["plane"], tuple(sidecar["slices"]["spacing_mm"]))
    mapped = {}
    for name, array in arrays.items():
        entry = sidecar["intensity"][name]
        ends = (entry["low"], entry["high"])
        low, high = np.percentile(array.astype(np.float64), ends) if entry["kind"] == "percentile" else ends
        mapped[name] = to_planes(np.clip(2 * (array - low) / (high - low) - 1, -1, 1).astype(np.float32), grid)
    count = grid.count
    channels = [
        np.stack([mapped[each["source"]][min(max(k + each["slice"], 0), count - 1)] for k in range(count)])
        for each in sidecar["input"]["channels"]
    ]
    slices = np.stack(channels, axis=1)
    multiple, least = sidecar["input"]["size_multiple"], sidecar["input"]["smallest_size"]
    height, width = (max(-(-length // multiple) * multiple, least) for length in slices.shape[2:])
    padded, (rows, columns) = pad_to_size(slices, (height, width), -1.0)
    session = onnxruntime.InferenceSession(exported)
    made = session.run(None, {sidecar["input"]["name"]: padded})[0][:, 0, rows, columns]
    entry = sidecar["intensity"][sidecar["output"]["channels"][0]]
    values = from_planes(made, grid) * (entry["high"] - entry["low"]) / 2 + (entry["high"] + entry["low"]) / 2
    return np.clip(np.rint(values), entry["low"], entry["high"])


@pytest.fixture
def not_run(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without the seconds that an export takes, where it is not the matter."""
    monkeypatch.setattr("medp2p.translation.onnx_export._exported", lambda *_: (b"onnx", 20))
    monkeypatch.setattr("medp2p.translation.onnx_export.compare", lambda *_: Comparison(0.0, ()))
    return monkeypatch


def test_existing_files_are_refused_unless_asked(model, tmp_path, not_run) -> None:
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"a\.json"):
        export_weights(model, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()
    export_weights(model, tmp_path / "a.onnx", overwrite=True)
    assert json.loads((tmp_path / "a.json").read_text())["synthetic"] is True
    with pytest.raises(OutputExistsError, match=r"a\.onnx"):
        export_weights(model, tmp_path / "a.onnx")


def test_what_answers_otherwise_is_not_kept(model, tmp_path, not_run) -> None:
    not_run.setattr("medp2p.translation.onnx_export.compare", lambda *_: Comparison(float("nan"), ()))
    with pytest.raises(ModelError, match="is not kept"):
        export_weights(model, tmp_path / "a.onnx")
    assert list(tmp_path.glob("a.*")) == []


def test_a_failure_to_write_leaves_neither_file(model, tmp_path, not_run) -> None:
    def full(*_, **__):
        raise FileError(tmp_path / "a.onnx", "no space left on the device", fix="make space")

    not_run.setattr("medp2p.translation.onnx_export.atomic_file", full)
    with pytest.raises(FileError, match="no space"):
        export_weights(model, tmp_path / "a.onnx")
    assert list(tmp_path.glob("a.*")) == []


def test_the_training_habit_is_refused(tmp_path) -> None:
    model = save(tmp_path, description(habit="training"))
    with pytest.raises(ModelError, match="statistics of each batch"):
        export_weights(model, tmp_path / "a.onnx")


def test_the_missing_extra_is_named(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"pip install 'medp2p\[onnx\]'"):
        export_weights(model, tmp_path / "a.onnx")
