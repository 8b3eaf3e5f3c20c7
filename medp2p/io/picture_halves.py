"""Two pictures side by side in one file, as the reference pix2pix has its pairs: one of them alone."""

import os

from medp2p.errors import FileError
from medp2p.volume import Volume

PathLike = str | os.PathLike[str]
SIDES = ("left", "right")


def cut_half(path: PathLike, volume: Volume, side: str, *, key: str | None = None) -> Volume:
    """The left or the right half of a picture.

    Args:
        path: Its file, for messages.
        volume: The picture with both halves, shape (2 W, H, C).
        side: A name of `SIDES`.
        key: What the picture is called, for messages.

    Returns:
        The half, shape (W, H, C).

    Raises:
        FileError: The width is odd.

    Examples:
        >>> import numpy as np
        >>> from medp2p.picture import picture, pixels_of
        >>> pixels_of(cut_half("pair.png", picture(np.array([[1, 2, 3, 4]], np.uint8)), "right")).tolist()
        [[3, 4]]
    """
    width = volume.shape[0]
    if width % 2:
        raise FileError(path, "an odd width cannot be halved", key=key, found=f"{width} x {volume.shape[1]} pixels",
                        expected="two pictures of equal width side by side", fix="make both halves anew")  # fmt: skip
    first = SIDES.index(side) * (width // 2)
    return Volume(volume.voxels[first : first + width // 2], volume.affine, header=volume.header)
