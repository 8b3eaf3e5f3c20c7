import io

import numpy as np
import pytest
from PIL import Image

from medp2p.evaluation.figures import Scale, plane_of, plane_spacing, slice_strip

HU = Scale(-500, 1000, 250, "HU")
TITLE, GUTTER = 17, 13


def drawn(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def panel(image, number, width, height):
    left = number * (width + 2 * GUTTER) + GUTTER
    return image[TITLE : TITLE + height, left : left + width]


def test_a_slice_of_flat_voxels_is_drawn_in_millimetres():
    image = np.zeros((20, 200))
    png = slice_strip(None, image, image, spacing_mm=(5.0, 0.5), scale=HU, plane="coronal", pixels=200)
    assert Image.open(io.BytesIO(png)).size == (3 * (200 + 2 * GUTTER) + 2 * 46, 200 + TITLE)


@pytest.mark.parametrize(("plane", "axis_up", "axis_left"), [("axial", 1, 0), ("coronal", 2, 0), ("sagittal", 2, 1)])
def test_superior_or_anterior_is_up_and_the_patients_right_or_front_at_the_left(plane, axis_up, axis_left):
    voxels = np.full((40, 40, 40), -500.0)
    corner = [slice(18, 22)] * 3
    corner[axis_up], corner[axis_left] = slice(30, 40), slice(30, 40)
    voxels[tuple(corner)] = 1000
    index = 20
    image = plane_of(voxels, plane, index)
    spacing = plane_spacing((1.0, 1.0, 1.0), plane)
    shown = panel(
        drawn(slice_strip(None, image, image, spacing_mm=spacing, scale=HU, plane=plane, pixels=80)), 0, 80, 80
    )
    assert shown[5, 5].sum() == 3 * 255
    assert shown[75, 75].sum() == shown[5, 75].sum() == shown[75, 5].sum() == 0


def test_the_difference_is_red_where_the_prediction_is_too_bright_and_blue_where_too_dark():
    reference = np.zeros((10, 20))
    predicted = np.where(np.arange(20) < 10, 250.0, -250.0) * np.ones((10, 1))
    image = drawn(slice_strip(None, predicted, reference, spacing_mm=(1, 1), scale=HU, pixels=200))
    shown = image[TITLE:, 2 * (200 + 2 * GUTTER) + 46 + GUTTER :][:, :200]
    right, left = shown[50, 180], shown[50, 20]
    assert right[0] > right[2] + 100
    assert left[2] > left[0] + 100
    same = drawn(slice_strip(None, reference, reference, spacing_mm=(1, 1), scale=HU, pixels=200))
    assert (same[TITLE + 5 : -20, 2 * (200 + 2 * GUTTER) + 46 + GUTTER :][:, :200] == 255).all()


def test_a_source_has_a_panel_of_its_own_and_an_outline_is_drawn():
    image = np.linspace(-500, 1000, 400).reshape(20, 20)
    inside = np.zeros((20, 20), bool)
    inside[5:15, 5:15] = True
    with_source = drawn(slice_strip(image, image, image, spacing_mm=(1, 1), scale=HU, outline=inside, pixels=100))
    without = drawn(slice_strip(None, image, image, spacing_mm=(1, 1), scale=HU, pixels=100))
    assert with_source.shape[1] - without.shape[1] == 100 + 2 * GUTTER
    orange = (with_source == [230, 159, 0]).all(axis=2)
    assert orange.sum() > 3 * 4 * 40
    difference = with_source[TITLE:, 3 * (100 + 2 * GUTTER) + 46 + GUTTER :][:, :100]
    assert (difference == 0).all(axis=2).sum() > 4 * 40  # black on colours
    assert not (without == [230, 159, 0]).all(axis=2).any()


def test_a_slice_without_contrast_is_drawn_too():
    flat = np.full((8, 8), 3.0)
    assert slice_strip(flat, flat, flat, spacing_mm=(1, 1), scale=Scale(3, 3, 1))[1:4] == b"PNG"
