"""Curves in a tracker, for those who have one: each is an extra, offline, and gets numbers alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medp2p.errors import ConfigError

Row = Mapping[str, float | None]
OnEpoch = Callable[[Row], None]
FOLDER = "tracking"


def tracker(name: str | None, folder: Path) -> OnEpoch:
    """What is called with each row of the history.

    Args:
        name: `tensorboard`, `mlflow` or `wandb`; None tracks nothing, the curves are in the run folder anyway.
        folder: The run folder, which the tracker writes into.

    Raises:
        ConfigError: The extra is not installed.
    """
    if name is None:
        return lambda row: None
    try:
        return _TRACKERS[name](folder / FOLDER)
    except ImportError:
        raise ConfigError(
            None,
            f"{name} is not installed",
            key="training.tracking",
            fix=f"pip install 'medp2p[{name}]', or write null",
        ) from None


def _numbers(row: Row) -> dict[str, float]:
    return {name: value for name, value in row.items() if value is not None and name != "epoch"}


def _tensorboard(folder: Path) -> OnEpoch:
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))

    def on_epoch(row: Row) -> None:
        for name, value in _numbers(row).items():
            writer.add_scalar(name, value, int(row["epoch"] or 0))
        writer.flush()

    return on_epoch


def _mlflow(folder: Path) -> OnEpoch:
    import mlflow

    folder.mkdir(exist_ok=True)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    known = client.get_experiment_by_name("medp2p")
    experiment = known.experiment_id if known else client.create_experiment("medp2p")
    run = client.create_run(experiment)

    def on_epoch(row: Row) -> None:
        for name, value in _numbers(row).items():
            client.log_metric(run.info.run_id, name, value, step=int(row["epoch"] or 0))

    return on_epoch


def _wandb(folder: Path) -> OnEpoch:
    import wandb

    folder.mkdir(exist_ok=True)
    run = wandb.init(project="medp2p", dir=str(folder), mode="offline")

    def on_epoch(row: Row) -> None:
        run.log(_numbers(row), step=int(row["epoch"] or 0))

    return on_epoch


_TRACKERS: dict[str, Callable[[Path], OnEpoch]] = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
