"""How much memory a translation takes."""

import logging

import numpy as np

from medp2p.translation import memory
from medp2p.translation.translator import Translator
from medp2p.volume import Volume

SIZES = {"weights": 1 << 20, "voxels": 1000, "bytes_per_voxel": 4, "slices": 2, "pixels": 4096, "channels": 8}


def test_more_of_anything_takes_more() -> None:
    least = memory.needed_bytes(**SIZES)
    assert all(memory.needed_bytes(**{**SIZES, name: 2 * value}) > least for name, value in SIZES.items())


def test_this_machine_has_memory() -> None:
    there = memory.available_bytes()
    assert there is None or there > 1 << 20


def test_a_scan_that_will_not_fit_is_told_before_it_is_translated(model, monkeypatch, caplog) -> None:
    monkeypatch.setattr("medp2p.translation.memory.available_bytes", lambda: 1 << 20)
    with caplog.at_level(logging.WARNING, "medp2p"):
        Translator.load(model, device="cpu")(Volume(np.arange(60, dtype=np.int16).reshape(5, 6, 2), np.eye(4)))
    assert "5 x 6 x 2 voxels takes about 0.3 GB" in caplog.text
