"""Pictures of slices: source, predicted, reference and signed difference side by side, in millimetres, sides marked.

Drawn as radiologists look: superior or anterior up, the patient's left at the right. It must never stretch a voxel.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Bytes2D = NDArray[np.uint8]
Plane = Literal["axial", "coronal", "sagittal"]
MARKS: Final[Mapping[Plane, tuple[str, str, str]]] = {
    "axial": ("R", "L", "A"),
    "coronal": ("R", "L", "S"),
    "sagittal": ("A", "P", "S"),
}
"""What lies at the left, at the right and at the top of a drawn plane."""
_GREYS: Final = 128
_CENTRE: Final = 191
_OUTLINE: Final = 255
_BLUE, _RED = (33, 102, 172), (178, 24, 43)
"""Ends of the signed difference (ColorBrewer RdBu, told apart with every kind of colour vision)."""
_GUTTER, _TITLE, _BAR, _FONT = 13, 17, 46, 11


@dataclass(frozen=True)
class Scale:
    """What black and white, blue and red stand for.

    Attributes:
        low: Drawn black.
        high: Drawn white.
        difference: Drawn deepest red, and deepest blue where negative.
        unit: Unit of these, for the bars.
    """

    low: float
    high: float
    difference: float
    unit: str = ""


def plane_of(voxels_ras: Array, plane: Plane, index: int) -> Array:
    """One slice of an array in RAS order (X, Y, Z): (Y, X) axial, (Z, X) coronal, (Z, Y) sagittal."""
    axis = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
    return np.asarray(voxels_ras[(slice(None),) * axis + (index,)].T)  # numpy.take would copy the whole scan first


def plane_spacing(spacing_ras_mm: Sequence[float], plane: Plane) -> tuple[float, float]:
    """Spacing of the rows and columns that `plane_of` gives, in mm."""
    x, y, z = spacing_ras_mm
    return {"axial": (y, x), "coronal": (z, x), "sagittal": (z, y)}[plane]


def slice_strip(
    source: Array | None,
    predicted: Array,
    reference: Array,
    *,
    spacing_mm: tuple[float, float],
    scale: Scale,
    plane: Plane = "axial",
    source_limits: tuple[float, float] | None = None,
    outline: Array | None = None,
    pixels: int = 220,
) -> bytes:
    """Source, predicted, reference and predicted - reference of one slice as a PNG.

    Args:
        source: The input, shape (H, W), rows to anterior or superior, columns to right or anterior (as slices of an
            array in RAS order are); None leaves its panel out.
        predicted: Shape (H, W).
        reference: Shape (H, W).
        spacing_mm: Of rows and columns.
        scale: What the colours of predicted, reference and difference stand for.
        plane: For the marks of the sides.
        source_limits: What is black and white in the source; None: its own extremes.
        outline: A region whose border is drawn, shape (H, W).
        pixels: Of the longer side of a panel.

    Examples:
        >>> ramp = np.linspace(-1000, 1000, 60).reshape(6, 10)
        >>> png = slice_strip(None, ramp + 50, ramp, spacing_mm=(3.0, 1.0), scale=Scale(-1000, 1000, 250, "HU"))
        >>> png[1:4]
        b'PNG'
    """
    size = _panel_size(reference.shape, spacing_mm, pixels)
    border = None if outline is None else _border(_fitted(np.asarray(outline, np.float32), size, smooth=False) > 0.5)
    panels = []
    if source is not None:
        low, high = source_limits or (float(source.min()), float(source.max()))
        panels.append(("source", _grey(_fitted(source, size), low, high)))
    for title, image in (("predicted", predicted), ("reference", reference)):
        panels.append((title, _grey(_fitted(image, size), scale.low, scale.high)))
    difference = np.asarray(predicted, np.float32) - np.asarray(reference, np.float32)
    panels.append(("predicted - reference", _signed(_fitted(difference, size), scale.difference)))
    for number, (_, panel) in enumerate(panels):
        if border is not None:
            panel[border] = _OUTLINE if number < len(panels) - 1 else 0  # black on the colours of the difference
    return _composed(panels, size, MARKS[plane], scale)


def _panel_size(shape: tuple[int, ...], spacing_mm: tuple[float, float], pixels: int) -> tuple[int, int]:
    """Height and width of a panel in pixels, with the proportions of millimetres."""
    height, width = (n * mm for n, mm in zip(shape, spacing_mm, strict=True))
    per_mm = pixels / max(height, width)
    return max(1, round(height * per_mm)), max(1, round(width * per_mm))


def _fitted(plane: Array, size: tuple[int, int], *, smooth: bool = True) -> NDArray[np.float32]:
    """A slice turned as it is looked at, resampled to the panel's pixels."""
    from PIL import Image

    turned = np.ascontiguousarray(plane[::-1, ::-1], np.float32)
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(turned).resize((size[1], size[0]), how), np.float32)


def _grey(image: NDArray[np.float32], low: float, high: float) -> Bytes2D:
    share = (image - low) / (high - low) if high > low else np.zeros_like(image)
    return np.asarray(np.rint(np.clip(share, 0, 1) * (_GREYS - 1)), np.uint8)


def _signed(image: NDArray[np.float32], limit: float) -> Bytes2D:
    half = _OUTLINE - 1 - _CENTRE
    return np.asarray(np.rint(np.clip(image / limit, -1, 1) * half) + _CENTRE, np.uint8)


def _border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = np.pad(mask, 1)
    inner = inner[1:-1, 1:-1] & inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
    return np.asarray(mask & ~inner)


def _composed(
    panels: Sequence[tuple[str, Bytes2D]], size: tuple[int, int], marks: tuple[str, str, str], scale: Scale
) -> bytes:
    """Panels in a row with titles, marks of the sides and two bars, as a PNG of one byte a pixel."""
    height, width = size
    cell = width + 2 * _GUTTER
    canvas = np.zeros((height + _TITLE, cell * len(panels) + 2 * _BAR), np.uint8)
    words: list[tuple[int, int, str]] = []
    left = 0
    for number, (title, panel) in enumerate(panels):
        last = number == len(panels) - 1
        canvas[_TITLE:, left + _GUTTER : left + _GUTTER + width] = panel
        middle = _TITLE + height // 2
        words += [(left + _GUTTER, 2, title), (left + 3, middle, marks[0])]
        words += [(left + _GUTTER + width + 3, middle, marks[1]), (left + 3, _TITLE, marks[2])]
        left += cell
        if number >= len(panels) - 2:
            top, bottom = (scale.difference, -scale.difference) if last else (scale.high, scale.low)
            shades = np.arange(_OUTLINE - 1, _GREYS - 1, -1) if last else np.arange(_GREYS - 1, -1, -1)
            rows = np.linspace(0, len(shades) - 1, height).round().astype(int)
            canvas[_TITLE:, left : left + 8] = shades[rows, None]
            sign = "+" if last else ""
            words += [(left + 11, _TITLE, f"{sign}{top:.4g}"), (left + 11, _TITLE + 12, scale.unit)]
            words += [(left + 11, _TITLE + height - 13, f"{bottom:.4g}")]
            left += _BAR
    return _png(np.maximum(canvas, _written(words, canvas.shape)))


def _written(words: Sequence[tuple[int, int, str]], shape: tuple[int, ...]) -> Bytes2D:
    """Words in light grey on nothing."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(_FONT)
    for x, y, word in words:
        draw.text((x, y), word, fill=230, font=font)
    return np.asarray(image, np.uint8) // 2


def _png(indices: Bytes2D) -> bytes:
    from PIL import Image

    image = Image.frombytes("P", (indices.shape[1], indices.shape[0]), indices.tobytes())
    image.putpalette(_palette())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _palette() -> bytes:
    """128 greys, 127 steps from blue over white to red, and orange for outlines."""
    greys = np.repeat(np.linspace(0, 255, _GREYS).round()[:, None], 3, axis=1)
    share = np.linspace(0, 1, _CENTRE - _GREYS + 1)[:, None]
    cold = np.array(_BLUE) + share * (255 - np.array(_BLUE))
    warm = 255 + share[1:] * (np.array(_RED) - 255)
    return np.concatenate([greys, cold, warm, [[230, 159, 0]]]).round().astype(np.uint8).tobytes()
