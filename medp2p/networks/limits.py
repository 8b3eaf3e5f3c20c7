"""Which slice sizes a network can take, as plain integers.

Must never import torch: configurations are checked with it before anything heavy is loaded.
"""

GENERATOR_HALVINGS = {"unet_128": 7, "unet_256": 8, "resnet_6": 2, "resnet_9": 2}
"""How often each generator halves a slice."""

RESNET_SMALLEST = 8  # a quarter of it is 2 pixels, the least that a reflected border of 1 pixel needs


def size_multiple(kind: str) -> int:
    """The number that height and width of a slice must be multiples of, in pixels.

    Args:
        kind: Name of a generator.

    Raises:
        KeyError: There is no generator of that name.

    Examples:
        >>> size_multiple("unet_256"), size_multiple("resnet_9")
        (256, 4)
    """
    return 1 << GENERATOR_HALVINGS[kind]


def smallest_size(kind: str) -> int:
    """The least height and width of a slice that a generator takes, in pixels.

    Raises:
        KeyError: There is no generator of that name.

    Examples:
        >>> smallest_size("unet_128"), smallest_size("resnet_6")
        (128, 8)
    """
    return max(size_multiple(kind), RESNET_SMALLEST)


def patch_output_size(layers: int, size: int) -> int:
    """Height (or width) of the map of logits of a patch discriminator; below 1 the slice is too small for it.

    Args:
        layers: Depth of the discriminator: its convolutions of stride 2; two of stride 1 follow.
        size: Height (or width) of the slice, in pixels.

    Examples:
        >>> patch_output_size(3, 256)
        30
    """
    return (size >> layers) - 2


def smallest_patch_size(layers: int) -> int:
    """The least height and width of a slice that a patch discriminator of this depth takes, in pixels.

    Examples:
        >>> smallest_patch_size(3)
        24
    """
    return 3 << layers


def receptive_field(layers: int) -> int:
    """Height and width of the patch that one logit of a patch discriminator judges, in pixels.

    Source:
        Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks, appendix 6.1.2.

    Examples:
        >>> [receptive_field(layers) for layers in (1, 2, 3, 4, 5, 6)]
        [16, 34, 70, 142, 286, 574]
    """
    field: int = 1
    for stride in (1, 1, *(2,) * layers):
        field = (field - 1) * stride + 4
    return field
