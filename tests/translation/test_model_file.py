"""Model files: what is damaged, foreign or too new is found before a network is built."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from medp2p.errors import ModelError
from medp2p.translation.description import Architecture
from medp2p.translation.model_file import model_path, read_header, write_model
from medp2p.translation.translator import Translator
from tests.translation.conftest import CT, MR, description, save


def header_of(path: Path) -> tuple[dict, int]:
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), 8 + length


def rewrite(path: Path, change) -> None:
    header, start = header_of(path)
    data = path.read_bytes()[start:]
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_the_hash_is_over_the_tensors_in_the_order_of_their_names(model) -> None:
    header, start = header_of(model)
    metadata = header.pop("__metadata__")
    data = model.read_bytes()[start:]
    digest = hashlib.sha256(b"".join(data[slice(*header[name]["data_offsets"])] for name in sorted(header)))
    assert metadata["sha256"] == digest.hexdigest() == read_header(model).sha256
    assert metadata["description_sha256"] == hashlib.sha256(metadata["description"].encode()).hexdigest()


def test_a_run_folder_stands_for_its_model_file(model) -> None:
    assert model_path(model.parent) == model == model_path(model)


@pytest.mark.parametrize("flip", range(100))
def test_a_flipped_bit_in_a_weight_is_always_found(model, flip: int) -> None:
    raw = bytearray(model.read_bytes())
    start = header_of(model)[1]
    place = int(np.random.default_rng(flip).integers(start * 8, len(raw) * 8))
    raw[place // 8] ^= 1 << place % 8
    model.write_bytes(raw)
    with pytest.raises(ModelError, match="do not fit their hash"):
        Translator.load(model, device="cpu")


def test_a_changed_description_is_found(model) -> None:
    def widen(header: dict) -> None:
        text = header["__metadata__"]["description"]
        header["__metadata__"]["description"] = text.replace("2000.0", "3000.0")

    rewrite(model, widen)
    with pytest.raises(ModelError, match="does not fit its hash"):
        read_header(model)


def test_a_model_of_the_future_is_refused_with_what_to_do(model) -> None:
    rewrite(model, lambda header: header["__metadata__"].update(schema_version="99"))
    with pytest.raises(ModelError, match=r"found 99, expected 1.*newer"):
        read_header(model)


@pytest.mark.parametrize("cut", [0, 4, 8, 100, -1, -1000])
def test_a_cut_model_is_refused(model, cut: int) -> None:
    model.write_bytes(model.read_bytes()[:cut])
    with pytest.raises(ModelError):
        Translator.load(model, device="cpu")


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x80\x04K\x01.", b"\xff" * 64, (1 << 40).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"{}"],
)
def test_what_is_no_model_is_refused(tmp_path, raw: bytes) -> None:
    path = tmp_path / "generator.safetensors"
    path.write_bytes(raw)
    with pytest.raises(ModelError, match="no model of medp2p"):
        read_header(path)


def described_as(path: Path, text: str) -> None:
    """A description that fits its hash, as somebody would write it who means harm."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    rewrite(path, lambda header: header["__metadata__"].update(description=text, description_sha256=digest))


@pytest.mark.parametrize(
    "change",
    [
        {"intensity": {"mr": {"kind": "percentile", "low": -1.0, "high": 500.0, "hu": False}}},
        {"intensity": {"ct": {"kind": "window", "low": 5.0, "high": 5.0, "hu": True}}},
        {"intensity": {"ct": {"kind": "window", "low": -1e6, "high": 1e6, "hu": True}}},
        {"intensity": {"mr": {"kind": "percentile", "low": 0.5, "high": 99.5, "hu": True}}},
        {"intensity": {"ct": {"kind": "window", "low": -1.0, "high": 1.0, "hu": True, "limits": [5.0, 1.0]}}},
        {"sources": ["mr", "mr"]},
        {"targets": ["mr"]},
        {"files": {"mr": "/etc/passwd", "ct": "ct.nii.gz"}},
        {"files": {"mr": "../../mr.nii.gz", "ct": "ct.nii.gz"}},
        {"files": {"ct": "ct.nii.gz"}},
        {"preparation": {"plane": "axial", "spacing_mm": [1e-9, 1e-9], "context_slices": 0}},
    ],
)
def test_a_description_that_no_training_writes_is_refused_although_its_hash_fits(model, change: dict) -> None:
    text = json.loads(header_of(model)[0]["__metadata__"]["description"])
    for key, value in change.items():
        text[key] = {**text[key], **value} if key == "intensity" else value
    described_as(model, json.dumps(text))
    with pytest.raises(ModelError, match="description of the model cannot be used"):
        read_header(model)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [-1, -8]},
        {"shape": "abc"},
        {"shape": [float("inf")]},
        {"shape": [2**62] * 50},
        {"dtype": ["F32"]},
        {"dtype": None},
        {"data_offsets": ["0", "4"]},
        {"data_offsets": [0, 4, 8]},
    ],
)
def test_tensors_that_cannot_be_are_refused(model, change: dict) -> None:
    rewrite(model, lambda header: next(entry for name, entry in header.items() if name[0] != "_").update(change))
    with pytest.raises(ModelError, match="no model of medp2p"):
        read_header(model)


@pytest.mark.parametrize("version", ["9" * 9000, " 1", "1.0", "\uff11", "-1"])
def test_a_version_is_one_word(model, version: str) -> None:
    rewrite(model, lambda header: header["__metadata__"].update(schema_version=version))
    with pytest.raises(ModelError, match="another schema version"):
        read_header(model)


def test_letters_that_no_text_has_are_refused(model) -> None:
    described_as(model, "\ud800")
    with pytest.raises(ModelError, match="does not fit its hash"):
        read_header(model)


def test_a_pipe_in_the_place_of_a_model_is_not_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "generator.safetensors")
    with pytest.raises(ModelError, match="no regular file"):
        read_header(tmp_path / "generator.safetensors")


def test_sizes_are_bounded_before_anything_is_built(model) -> None:
    def grow(header: dict) -> None:
        text = json.loads(header["__metadata__"]["description"])
        text["generator"]["channels"] = 10**9
        header["__metadata__"]["description"] = json.dumps(text)
        header["__metadata__"]["description_sha256"] = hashlib.sha256(json.dumps(text).encode()).hexdigest()

    rewrite(model, grow)
    with pytest.raises(ModelError, match=r"generator\.channels"):
        read_header(model)


def test_weights_of_another_network_are_refused(model) -> None:
    other = description(generator=Architecture(kind="resnet_6", channels=8, norm="instance", dropout=False))
    rewrite(
        model,
        lambda header: header["__metadata__"].update(
            description=other.to_text(), description_sha256=hashlib.sha256(other.to_text().encode()).hexdigest()
        ),
    )
    with pytest.raises(ModelError, match="do not fit the network"):
        Translator.load(model, device="cpu")


def test_weights_that_are_not_finite_are_refused(tmp_path) -> None:
    path = save(tmp_path, description())
    weights = load_file(path)
    next(iter(weights.values()))[0] = float("nan")
    write_model(path, weights, description())
    with pytest.raises(ModelError, match="not finite"):
        Translator.load(path, device="cpu")


def test_a_percentile_target_needs_limits_to_be_undone() -> None:
    with pytest.raises(ValueError, match="no limits to undo"):
        description(targets=("t2",), intensity={"mr": MR, "t2": MR, "ct": CT})
