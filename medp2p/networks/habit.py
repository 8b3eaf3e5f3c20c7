"""The reference's habit of translating as if it were training, for those who want its very numbers."""

from torch import nn


def set_reference_habit(network: nn.Module, habit: bool = True) -> nn.Module:
    """Lets norms use the statistics of the batch and dropout drop, as the reference does when it translates.

    The running statistics of batch norm are neither used nor changed. Without the habit the network is as after
    `network.eval()`: statistics of the training, nothing dropped, one answer for one slice. Dropout draws from
    torch's global random state: fork and seed it where one seed is to give one answer.

    Args:
        network: A generator; changed in place.
        habit: False ends it.

    Returns:
        The network.

    Source:
        `test.py` of pytorch-CycleGAN-and-pix2pix, without and with `--eval`.
    """
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(habit)
            module.track_running_stats = not habit
        elif isinstance(module, nn.Dropout):
            module.train(habit)
    return network
