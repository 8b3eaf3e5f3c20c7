"""The epoch loop: batches through the update, validations, and a state on the disk that is always whole."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from medp2p.config.schema import Config
from medp2p.data.slices import SliceBatch, SliceLoader
from medp2p.errors import FileError, TrainingError
from medp2p.training.checkpoint import Progressed, save_checkpoint
from medp2p.training.engine import Engine
from medp2p.training.history import Row, draw_history, write_history
from medp2p.training.interruption import Interrupted, Stop, raise_if_stopped
from medp2p.training.schedule import learning_rate_factor
from medp2p.training.step import Pix2PixUpdate, check_finite
from medp2p.training.tracking import OnEpoch
from medp2p.training.validation import Validation
from medp2p.translation.model_file import STATE_FILE
from medp2p.translation.progress import Progress

_STEPS_BEFORE_ESTIMATE = 20
_LONG_S = 3600.0


@dataclass
class Fit:
    """Everything that a training consists of; `progressed` alone changes.

    Attributes:
        config: The configuration of the run.
        folder: The run folder.
        engine: Device and processes.
        generator: The generator, without wrappers.
        discriminator: The discriminator, without wrappers.
        update: One step of both.
        loader: Batches of an epoch.
        validation: Scores the generator on held-out scans and keeps the best weights.
        progressed: Where the training stands.
        stop: Says when it was told to stop.
        progress: Told about every step.
        on_epoch: Told about every epoch.
        say: Told in words what happens.
        after_step: Called after every step.
        refuse_lost: Raises where the run folder is no longer there.
    """

    config: Config
    folder: Path
    engine: Engine
    generator: nn.Module
    discriminator: nn.Module
    update: Pix2PixUpdate
    loader: SliceLoader
    validation: Validation
    progressed: Progressed
    stop: Stop
    progress: Progress | None
    on_epoch: OnEpoch
    say: Callable[[str], None]
    after_step: Callable[[], None]
    refuse_lost: Callable[[], None]

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        return self.config.training.epochs + self.config.training.decay_epochs


def fit(run: Fit) -> None:
    """Trains from where `progressed` stands to the last epoch.

    Raises:
        Interrupted: It was told to stop; the state is saved.
        TrainingError: A loss or a weight is no longer finite; the last finite state is kept.
        FileError: The machine no longer reads or writes (exit code 1), or files of a case were changed.
    """
    estimate = _Estimate(run)
    try:
        while run.progressed.epoch <= run.epochs:
            _train_epoch(run, estimate)
            if _is_due(run) and not run.progressed.validated:
                _validate(run)
            _finish_epoch(run)
    except Interrupted as told:
        _save(run)
        run.engine.barrier()  # whoever ends first may have the others ended
        told.saved = True
        raise
    except FileError as error:
        run.refuse_lost()
        if error.errno:  # what could be read and written when the run began
            error.exit_code = 1
        raise


def _train_epoch(run: Fit, estimate: "_Estimate") -> None:
    """The steps of the running epoch that are still to be done."""
    training, now = run.config.training, run.progressed
    factor = learning_rate_factor(now.epoch, training.epochs, training.decay_epochs)
    run.update.set_learning_rate(training.learning_rate * factor)
    began = time.monotonic()
    for batch in run.loader.batches(now.epoch, start_step=now.step):
        raise_if_stopped(lambda: run.engine.any(run.stop()))
        with run.engine.seeded(training.seed, now.epoch, now.step):
            losses = run.update(batch.source, batch.target, batch.weight, total=run.engine.weight_total(batch.weight))
        values = run.engine.mean({name: loss.detach() for name, loss in losses.items()}, len(batch.cases))
        try:
            _check(run, values, batch)
        except TrainingError as diverged:  # of averages, and so in every process
            diverged.told_elsewhere = not run.engine.is_main
            raise
        for name, value in values.items():
            now.sums[name] = now.sums.get(name, 0.0) + value * batch.count
        now.samples += batch.count
        now.step += 1
        now.seconds, began = now.seconds + time.monotonic() - began, time.monotonic()
        estimate.step()
        run.after_step()
        if run.progress:
            rate = now.samples / max(now.seconds, 1e-9)
            shown = " ".join(
                f"{name.removeprefix('loss_')} {values[name]:.3g}" for name in ("loss_l1", "loss_g", "loss_d")
            )
            run.progress(now.step, run.loader.steps, f"epoch {now.epoch}/{run.epochs}: {shown}, {rate:.3g} slices/s")


def _check(run: Fit, values: dict[str, float], batch: SliceBatch) -> None:
    """Stops before anything that is not finite can be kept."""
    now = run.progressed
    where = f"epoch {now.epoch}, step {now.step + 1} (slices {_named(batch)})"
    check_finite(values, where=where)
    for optimizer in (run.update.optimizer_g.optimizer, run.update.optimizer_d.optimizer):
        numbers = [parameter.detach() for group in optimizer.param_groups for parameter in group["params"]]
        numbers += [value for state in optimizer.state.values() for value in state.values() if value.ndim]
        largest = torch._foreach_norm(numbers, ord=math.inf)
        if not math.isfinite(float(torch.stack([value.float() for value in largest]).max())):
            raise TrainingError(
                None,
                f"training diverged at {where}",
                found="weights, or what the optimiser remembers of gradients, that are not finite",
                fix="lower training.learning_rate or loss.l1_weight, and train anew (--overwrite)",
            )


def _named(batch: SliceBatch) -> str:
    return ", ".join(f"{case}:{index}" for case, index in zip(batch.cases, batch.indices, strict=True))


def _validate(run: Fit) -> None:
    """Scores held-out scans on the main process; the others wait, and hear whether it was told to stop."""
    told = None
    if run.engine.is_main:
        try:
            run.refuse_lost()
            run.validation(run.generator, run.progressed, run.stop, run.progress)
        except Interrupted as stopped:
            told = stopped.signal
    told = run.engine.broadcast(told)
    if told is not None:
        raise Interrupted(told)
    run.progressed.validated = True


def _is_due(run: Fit) -> bool:
    epoch = run.progressed.epoch
    return epoch % run.config.training.validate_every == 0 or epoch == run.epochs


def _finish_epoch(run: Fit) -> None:
    """The row of the epoch, then the state, then the curves: what is on the disk is never ahead of the weights."""
    now, training = run.progressed, run.config.training
    factor = learning_rate_factor(now.epoch, training.epochs, training.decay_epochs)
    row: dict[str, float | None] = {"epoch": float(now.epoch), "learning_rate": training.learning_rate * factor}
    for name in ("loss_g", "loss_adversarial", "loss_l1", "loss_d"):
        row[name] = now.sums.get(name, 0.0) / max(now.samples, 1)
    row["slices_per_second"] = now.samples / max(now.seconds, 1e-9)
    row |= now.scores
    now.history.append(row)
    now.epoch, now.step, now.sums, now.samples, now.seconds = now.epoch + 1, 0, {}, 0, 0.0
    now.validated, now.scores = False, {}
    _save(run)
    if run.engine.is_main:
        _tell(run, row)


def _tell(run: Fit, row: Row) -> None:
    now, best_by = run.progressed, run.config.evaluation.best_by
    column = f"{best_by.region}_{best_by.metric}"
    write_history(run.folder, now.history)
    if row.get(column) is not None:
        draw_history(run.folder, now.history, best_by=column, best_epoch=now.best_epoch, unit=run.validation.unit)
    score = "" if row.get(column) is None else f", validation {column.replace('_', ' ')} {row[column]:.4g}"
    run.say(
        f"epoch {now.epoch - 1} of {run.epochs}: l1 {row['loss_l1']:.4g}, g {row['loss_g']:.4g}, "
        f"d {row['loss_d']:.4g}, {row['slices_per_second']:.3g} slices/s{score}"
    )
    run.on_epoch(row)


def _save(run: Fit) -> None:
    if not run.engine.is_main:
        return
    run.refuse_lost()
    state = {
        "generator": run.generator.state_dict(),
        "discriminator": run.discriminator.state_dict(),
        "update": run.update.state_dict(),
    }
    save_checkpoint(run.folder / STATE_FILE, state, run.progressed)


class _Estimate:
    """Says once, after some steps, how long the whole will take."""

    def __init__(self, run: Fit) -> None:
        self._run = run
        self._steps = 0
        self._began = time.monotonic()

    def step(self) -> None:
        self._steps += 1
        if self._steps == 1:
            self._began = time.monotonic()  # the first step pays for what is made once
        if self._steps != _STEPS_BEFORE_ESTIMATE:
            return
        seconds = (time.monotonic() - self._began) / (self._steps - 1) * self._steps_left()
        self._run.say(f"about {in_words(seconds)} to go, validations not counted")
        if seconds > _LONG_S and self._run.engine.device.type == "cpu":
            self._run.say(
                "for a short try: --set training.epochs=5 --set training.decay_epochs=5 --set generator.channels=16"
            )

    def _steps_left(self) -> int:
        now = self._run.progressed
        return (self._run.epochs - now.epoch + 1) * self._run.loader.steps - now.step


def in_words(seconds: float) -> str:
    """A duration as people say it.

    Examples:
        >>> in_words(42), in_words(200), in_words(5400)
        ('42 s', '3 min', '1 h 30 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
