"""A picture as a Volume: pixels on a grid that lies nowhere in a patient, its colours along the third axis.

A row of pixels runs along the first axis and the rows follow each other along the second, so that slice 0 of a picture
is what a network sees, the right way up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.volume import Header, Volume

COLOURS = ("red", "green", "blue")
"""Of a picture that has any, in the order of its channels."""
PIXEL = "pixel"
"""Unit of a picture's grid, by which it is known from a scan."""
BITS = {"uint8": 8, "uint16": 16}
"""The number types that a picture can have, and how many bits a value has."""


@dataclass(frozen=True)
class PictureForm:
    """What a picture is made of.

    Attributes:
        channels: 1 or 3.
        bits: 8 or 16.
    """

    channels: int
    bits: int

    def __str__(self) -> str:
        return f"{self.channels} channel{'s' * (self.channels > 1)} of {self.bits} bits"


def picture(pixels: NDArray[Any]) -> Volume:
    """A picture of its pixels.

    Args:
        pixels: uint8 or uint16, shape (H, W) or, in colour, (H, W, 3).

    Returns:
        A volume of shape (W, H, 1) or (W, H, 3).

    Examples:
        >>> scan = picture(np.zeros((4, 6, 3), np.uint8))
        >>> scan.shape, is_picture(scan), bits_of(scan), pixels_of(scan).shape
        ((6, 4, 3), True, 8, (4, 6, 3))
    """
    height, width = pixels.shape[:2]
    return Volume(pixels.reshape(height, width, -1).transpose(1, 0, 2), np.eye(4), header=Header(space_unit=PIXEL))


def is_picture(volume: Volume) -> bool:
    """Whether a volume is a picture."""
    return volume.header.space_unit == PIXEL


def bits_of(volume: Volume) -> int:
    """The depth of a picture: 8 or 16 bits; 0 of a volume that cannot be one."""
    return BITS.get(volume.voxels.dtype.name, 0)


def pixels_of(volume: Volume) -> NDArray[Any]:
    """The pixels of a picture, shape (H, W) or, in colour, (H, W, 3)."""
    pixels = volume.voxels.transpose(1, 0, 2)
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def channel_names(name: str, count: int) -> tuple[str, ...]:
    """What the channels of a picture are called.

    Examples:
        >>> channel_names("photo", 3), channel_names("sketch", 1)
        (('photo.red', 'photo.green', 'photo.blue'), ('sketch',))
    """
    return (name,) if count == 1 else tuple(f"{name}.{colour}" for colour in COLOURS)


def pictures_of(channels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The pictures that channels belong to, in the order of the channels.

    Examples:
        >>> pictures_of(["sketch", "photo.red", "photo.green", "photo.blue"])
        {'sketch': ('sketch',), 'photo': ('photo.red', 'photo.green', 'photo.blue')}
    """
    given = tuple(channels)
    found: dict[str, tuple[str, ...]] = {}
    for channel in given:
        stem = channel.rpartition(".")[0]
        whole = channel_names(stem, 3)
        found |= {stem: whole} if stem and set(whole) <= set(given) and channel in whole else {channel: (channel,)}
    return found


def in_channels(pictures: Mapping[str, Volume]) -> dict[str, Volume]:
    """Every channel of some pictures as a volume of its own, shape (W, H, 1), by its name."""
    return {
        channel: Volume(volume.voxels[:, :, number : number + 1], volume.affine, header=volume.header)
        for name, volume in pictures.items()
        for number, channel in enumerate(channel_names(name, volume.shape[2]))
    }


def of_channels(channels: Mapping[str, Volume]) -> dict[str, Volume]:
    """The pictures of channels: what `in_channels` took apart."""
    found = {}
    for name, parts in pictures_of(channels).items():
        first = channels[parts[0]]
        voxels = np.concatenate([channels[part].voxels for part in parts], axis=2)
        found[name] = Volume(voxels, first.affine, header=first.header)
    return found
