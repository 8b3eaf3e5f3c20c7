"""Which slices a network takes: their channels, and the sizes that its layers can halve."""

from dataclasses import dataclass

import torch
from torch import Tensor

from medp2p.errors import GeometryError


def _is_tracing() -> bool:
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]  # gaps in torch's types


@dataclass(frozen=True)
class SliceShape:
    """The shape of a batch of slices, (B, C, H, W).

    Attributes:
        channels: C.
        smallest: Least H and W, in pixels.
        multiple: What H and W are multiples of, in pixels.
    """

    channels: int
    smallest: int = 1
    multiple: int = 1

    def check(self, slices: Tensor) -> None:
        """Raise where a network cannot take these slices; it costs a microsecond, and a compiled network nothing.

        Raises:
            GeometryError: With the shape that was given and the one that is taken.

        Examples:
            >>> SliceShape(2).check(torch.zeros(1, 2, 8, 8))
        """
        if torch.compiler.is_compiling() or _is_tracing():  # which would take sizes for constants
            return
        shape = slices.shape
        if len(shape) == 4 and shape[1] == self.channels and self._fits(shape[2]) and self._fits(shape[3]):
            return
        raise self._refusal(tuple(shape))

    def _fits(self, pixels: int) -> bool:
        return pixels >= self.smallest and pixels % self.multiple == 0

    def _refusal(self, shape: tuple[int, ...]) -> GeometryError:
        sizes = f"at least {self.smallest}" if self.multiple == 1 else f"multiples of {self.multiple}"
        sizes += f", at least {self.smallest}" if self.smallest > self.multiple > 1 else ""
        if len(shape) != 4:
            fix = "give a batch of slices, one for each channel: tensor.reshape(B, C, H, W)"
        elif shape[1] != self.channels:
            fix = f"give {self.channels} channels, or build the network with in_channels={shape[1]}"
        else:
            fix = "pad the slices, or take another kind of network"
        return GeometryError(None, "the network does not take slices of this shape", key="input", found=shape,
                             expected=f"(B, {self.channels}, H, W), H and W {sizes}", fix=fix)  # fmt: skip
