"""The first weights of a network, as the reference draws them."""

import torch
from torch import nn

_SPREAD = 0.02  # standard deviation of every weight that is drawn


def initialise(network: nn.Module, seed: int) -> nn.Module:
    """Draws all weights anew: N(0, 0.02), those of batch norm N(1, 0.02), biases 0, no statistics yet.

    The global random state is neither used nor changed, and the weights depend on the seed alone.

    Args:
        network: A generator or discriminator; changed in place.
        seed: Of the draws.

    Returns:
        The network.

    Source:
        Isola et al. 2017, appendix 6.2; batch norm as the authors' PyTorch code.

    Examples:
        >>> first, second = (initialise(nn.Conv2d(1, 8, 4), seed=3) for _ in range(2))
        >>> torch.equal(first.weight, second.weight)
        True
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            _draw(module, 1.0, generator)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            _draw(module, 0.0, generator)
    return network


@torch.no_grad()
def _draw(module: nn.BatchNorm2d | nn.Conv2d | nn.ConvTranspose2d, mean: float, generator: torch.Generator) -> None:
    """Weights from the generator, on the CPU so that every device begins with the same."""
    drawn = torch.empty(module.weight.shape, dtype=torch.float32).normal_(mean, _SPREAD, generator=generator)
    module.weight.copy_(drawn)
    if module.bias is not None:
        module.bias.zero_()
