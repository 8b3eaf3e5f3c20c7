"""Pictures side by side as they are: source, predicted, reference in their colours, and the signed difference."""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medp2p.picture import bits_of, pixels_of
from medp2p.volume import Volume

Colours = NDArray[np.uint8]
_GAP: Final = 6
_NO_DIFFERENCE: Final = 128
_GAIN: Final = 2.0
"""The difference is drawn so many times as strong, on grey."""


def picture_strip(source: Volume | None, predicted: Volume, reference: Volume, *, pixels: int = 256) -> bytes:
    """Source, predicted, reference and the signed difference of pictures as one PNG.

    Args:
        source: A picture of the same size, or None.
        predicted: As the reference.
        reference: Shape (W, H, 1) or (W, H, 3).
        pixels: Of the longer side of a panel, at most; pictures are made smaller, never larger.

    Examples:
        >>> from medp2p.picture import picture
        >>> grey = picture(np.full((6, 10), 100, np.uint8))
        >>> picture_strip(None, grey, grey)[1:4]
        b'PNG'
    """
    from PIL import Image

    panels = [_shown(each) for each in (source, predicted, reference) if each is not None]
    panels.append(_difference(predicted, reference))
    height, width = panels[-1].shape[:2]
    share = min(1.0, pixels / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    strip = Image.new("RGB", (len(panels) * (size[0] + _GAP) - _GAP, size[1]), "white")
    for number, panel in enumerate(panels):
        strip.paste(Image.fromarray(panel).resize(size, Image.Resampling.BOX), (number * (size[0] + _GAP), 0))
    file = io.BytesIO()
    strip.save(file, "PNG", optimize=True)
    return file.getvalue()


def _shown(volume: Volume) -> Colours:
    """A picture in 8 bits and three colours; a darker one than its depth allows is brightened to its own maximum."""
    values = pixels_of(volume).astype(np.float32)
    limit = 255.0 if bits_of(volume) == 8 else max(float(values.max()), 1.0)
    return _three(np.rint(values * (255.0 / limit)).astype(np.uint8))


def _difference(predicted: Volume, reference: Volume) -> Colours:
    given, wanted = (pixels_of(each).astype(np.float32) for each in (predicted, reference))
    limit = 255.0 if bits_of(reference) == 8 else max(float(wanted.max()), 1.0)
    drawn = _NO_DIFFERENCE + (given - wanted) * (_GAIN * _NO_DIFFERENCE / limit)
    return _three(np.clip(np.rint(drawn), 0, 255).astype(np.uint8))


def _three(pixels: NDArray[Any]) -> Colours:
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2))
