"""Learning a translation: one update of both networks, the epoch loop, validation, and runs that can be resumed."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medp2p.training.held_out import evaluate_run
    from medp2p.training.run import Run
    from medp2p.training.step import Pix2PixUpdate
    from medp2p.training.task import train

__all__ = ["Pix2PixUpdate", "Run", "evaluate_run", "train"]

_HOMES = {"Pix2PixUpdate": "step", "Run": "run", "evaluate_run": "held_out", "train": "task"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
