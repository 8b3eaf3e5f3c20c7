"""Small pairs with awkward shapes and memory orders, and masks of every kind."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pair:
    predicted: np.ndarray
    reference: np.ndarray
    masks: dict[str, np.ndarray]


def make_pair(shape, order="C", seed=0, predicted_type=np.float32):
    rng = np.random.default_rng(seed)
    reference = np.asarray(rng.integers(-1100, 3200, size=shape), np.int16, order=order)
    predicted = np.asarray(reference + rng.normal(0, 200, shape), predicted_type, order=order)
    box = np.zeros(shape, bool)
    box[shape[0] // 5 : -shape[0] // 4, shape[1] // 6 : -2, 1:-1] = True
    speckle = rng.random(shape) > 0.5
    masks = {"volume": np.ones(shape, bool), "box": box, "speckle": speckle, "rim": box & speckle}
    return Pair(predicted, reference, {name: np.asarray(mask, order=order) for name, mask in masks.items()})
