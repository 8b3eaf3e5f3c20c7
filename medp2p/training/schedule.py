"""The learning rate of an epoch: constant, then linearly to zero."""


def learning_rate_factor(epoch: int, epochs: int, decay_epochs: int) -> float:
    """What the learning rate is multiplied by in one epoch.

    Args:
        epoch: Counted from 1.
        epochs: Epochs at the full rate.
        decay_epochs: Epochs after them, in which the rate falls linearly; it would be zero one epoch later.

    Source:
        The linear policy of the authors' PyTorch implementation.

    Examples:
        >>> [round(learning_rate_factor(epoch, 100, 100), 6) for epoch in (1, 100, 101, 200)]
        [1.0, 1.0, 0.990099, 0.009901]
    """
    return 1.0 - max(0, epoch - epochs) / (decay_epochs + 1)
