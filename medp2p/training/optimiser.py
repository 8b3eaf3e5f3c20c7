"""Optimisers over weights that are not in the usual order in memory.

torch's fused Adam on a CPU (2.13) copies every gradient in channels_last order, and where a gradient's order differs
from its weight's it mixes them up without a word. Here it sees everything in one order.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from medp2p.errors import TrainingError

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


def adam(learning_rate: float, betas: tuple[float, float]) -> OptimizerFactory:
    """Makes Adam of parameters, fused where their device has it."""

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        given = list(parameters)
        fused = all(parameter.device.type in ("cpu", "cuda") for parameter in given)
        return Adam(given, lr=learning_rate, betas=betas, fused=fused)

    return make


class DenseOptimizer:
    """An optimiser of a network that sees each weight as a view in the order in which it lies in memory.

    The network stays on its device, and in its order in memory, from then on.

    Args:
        network: Whose weights are moved.
        make: Makes the optimiser.
    """

    def __init__(self, network: nn.Module, make: OptimizerFactory) -> None:
        self._network = network
        self._orders = [_order(parameter) for parameter in network.parameters()]
        given = zip(network.parameters(), self._orders, strict=True)
        self._views = [nn.Parameter(parameter.detach().permute(order)) for parameter, order in given]
        self.optimizer = make(self._views)

    def step(self) -> None:
        """Moves every weight by its gradient.

        Raises:
            TrainingError: The network was moved, or its weights replaced, since the optimiser was made.
        """
        for parameter, order, view in zip(self._network.parameters(), self._orders, self._views, strict=True):
            if view.data_ptr() != parameter.data_ptr():
                raise TrainingError(
                    None,
                    "the network was moved after its optimiser was made",
                    found=f"weights on {parameter.device}",
                    fix="move the network first, and load weights without assign=True",
                )
            view.grad = None if parameter.grad is None else parameter.grad.permute(order).contiguous()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def set_learning_rate(self, learning_rate: float) -> None:
        """The rate from the next step on."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

    def state_dict(self) -> dict[str, Any]:
        """What the optimiser remembers, in the shapes of the weights whatever their order in memory."""
        state = self.optimizer.state_dict()
        backs = [torch.argsort(torch.tensor(order)).tolist() for order in self._orders]
        return {**state, "state": {k: _permuted(of_weight, backs[k]) for k, of_weight in state["state"].items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on with what `state_dict` gave; the tensors given stay as they are."""
        own = {
            k: {name: _copied(value) for name, value in _permuted(of_weight, self._orders[k]).items()}
            for k, of_weight in state["state"].items()
        }
        self.optimizer.load_state_dict({**state, "state": own})


def _order(weight: Tensor) -> list[int]:
    """The dimensions of a dense tensor from the slowest to the fastest in memory."""
    strides = weight.stride()
    return sorted(range(weight.ndim), key=lambda axis: (-strides[axis], axis))


def _permuted(of_weight: Mapping[str, Any], order: list[int]) -> dict[str, Any]:
    """What is remembered of one weight, with the dimensions of tensors like it in another order."""
    return {
        name: value.permute(order) if isinstance(value, Tensor) and value.ndim == len(order) else value
        for name, value in of_weight.items()
    }


def _copied(value: Any) -> Any:
    return value.clone(memory_format=torch.contiguous_format) if isinstance(value, Tensor) else value
