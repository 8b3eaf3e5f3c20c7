"""`medp2p train`: everything is checked first, then a run folder is made, trained in, or gone on with."""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from os import PathLike
from pathlib import Path
from shlex import quote

from torch import nn

from medp2p.config import Config, absent, load_config
from medp2p.data.cohort import Cohort, label_table, prepare_cohort
from medp2p.data.picture_cases import with_seen_pictures
from medp2p.data.slices import SliceLoader
from medp2p.device import describe_device, resolve_precision
from medp2p.errors import ConfigError
from medp2p.training.agreement import in_agreement
from medp2p.training.building import build_loader, build_networks, build_update, refuse_undivided_batch, take_up
from medp2p.training.card import write_card
from medp2p.training.checkpoint import Progressed, load_checkpoint
from medp2p.training.engine import Engine
from medp2p.training.history import draw_history, write_history
from medp2p.training.interruption import Stop, never, stopping
from medp2p.training.launched import is_launched
from medp2p.training.loop import Fit, fit
from medp2p.training.papers import (
    CONFIG_FILE,
    write_config,
    write_places,
    write_provenance,
)
from medp2p.training.profile import profiled
from medp2p.training.run import LOG, Run, empty_run_folder, locked, refuse_run_folder, run_folder
from medp2p.training.run_log import RunLog, run_log
from medp2p.training.same_work import refuse_other_work
from medp2p.training.start import start_from
from medp2p.training.summary import summary_lines
from medp2p.training.tracking import tracker
from medp2p.training.validation import HeldOut, Validation
from medp2p.translation.described import describe
from medp2p.translation.model_file import MODEL_FILE, STATE_FILE, read_header
from medp2p.translation.progress import Progress

logger = logging.getLogger(__name__)

FEW_STEPS, SMALL_BATCH = 20, 2
"""Steps of an epoch below which smaller batches learn more, and how small they then may be
[docs/explanation/real-scans.md: 84 slices in batches of 16 and of 2]."""


def train(
    config: str | PathLike[str],
    *,
    run: str | PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    set: Sequence[str] = (),
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    profile: bool = False,
    progress: Progress | None = None,
    stop: Stop = never,
) -> Run:
    """Learns a translation from paired scans.

    Args:
        config: The configuration file.
        run: The run folder; None: `runs/<stem of config>` in the current folder.
        resume: Go on exactly where a run stopped.
        overwrite: Train anew in a folder that holds a run.
        set: Overrides, `section.key=VALUE`.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        devices: Processes on this machine, each with a device of its own.
        nodes: Machines.
        profile: Write into the run folder what the first steps spent their time on.
        progress: Called with done, total and what is being done.
        stop: Says the number of a signal that came; the state is then saved and `Interrupted` raised.

    Returns:
        The run: a path, with its validation scores.

    Raises:
        ConfigError: The configuration, or a case, is refused; every fault at once.
        OutputExistsError: The folder holds a run already.
        TrainingError: Training diverged; its last finite state is kept.
        Interrupted: `stop` said so; the state is saved, once there is any.
    """
    folder, processes = run_folder(config, run), devices * nodes
    ask = partial(_asked, config, set, folder, resume=resume, overwrite=overwrite, processes=processes)
    asked = None if processes > 1 and is_launched() else ask()
    engine = Engine(device, devices, nodes)
    with ExitStack() as stack, engine.together():
        with in_agreement(engine):
            loaded = asked or ask()
            refuse_lost = stack.enter_context(locked(folder)) if engine.is_main else _nothing_to_lose
            loaded = with_seen_pictures(loaded)
            store = loaded.data.store or folder.absolute().parent / ".medp2p-store"
            cohort = prepare_cohort(loaded, store=store, progress=stopping(progress, stop))
            goes_on = resume and (folder / CONFIG_FILE).is_file() and (folder / STATE_FILE).is_file()
            generator, discriminator = build_networks(loaded)
            loader = build_loader(loaded, cohort, engine)
            if goes_on:
                refuse_other_work(folder, loaded, cohort)
            elif loaded.training.start_from is not None:  # which may be the very run that goes
                start_from(loaded.training.start_from, generator, discriminator)
        if engine.is_main and not goes_on:
            empty_run_folder(folder)
        engine.barrier()
        with run_log(folder / LOG if engine.is_main else Path(os.devnull)) as log:
            parts = (generator, discriminator, loader)
            _run(folder, loaded, cohort, parts, engine, log, goes_on, profile, progress, stop, refuse_lost)
    return Run(folder)


def _asked(
    config: str | PathLike[str],
    overrides: Sequence[str],
    folder: Path,
    *,
    resume: bool,
    overwrite: bool,
    processes: int,
) -> Config:
    """The configuration, once nothing speaks against it and the folder that can be seen without reading a scan."""
    loaded = load_config(config, overrides)
    if faults := absent(loaded, resume=resume):
        raise ConfigError.several(faults)
    refuse_run_folder(folder, resume=resume, overwrite=overwrite)
    refuse_undivided_batch(loaded, processes)
    return loaded


def _nothing_to_lose() -> None:
    """Other processes than the main one write nothing."""


def _run(
    folder: Path,
    config: Config,
    cohort: Cohort,
    parts: tuple[nn.Module, nn.Module, SliceLoader],
    engine: Engine,
    log: RunLog,
    goes_on: bool,
    profile: bool,
    progress: Progress | None,
    stop: Stop,
    refuse_lost: Callable[[], None],
) -> None:
    training = config.training
    generator, discriminator, loader = parts
    state, progressed = load_checkpoint(folder / STATE_FILE) if goes_on else ({}, Progressed())
    update = build_update(config, engine, generator, discriminator)
    if goes_on:
        take_up(folder, generator, discriminator, update, state)
    precision = resolve_precision(training.precision, engine.device)
    description = describe(config, limits=cohort.target_limits(), precision=precision)
    validation = Validation(
        folder,
        HeldOut(cohort.split("validation"), config, cohort.hashes),
        description,
        device=engine.device,
        say=log,
    )
    if engine.is_main:
        if not goes_on:
            _write_papers(folder, config, cohort, engine, precision)
        write_places(folder, config, cohort.cases)
        write_history(folder, progressed.history)
    epochs = training.epochs + training.decay_epochs
    if goes_on and progressed.epoch > epochs and (folder / MODEL_FILE).is_file():
        log(f"the run is finished, after epoch {progressed.epoch - 1}")
        if engine.is_main:  # whoever ended it may have done so before it had written everything
            _draw_and_describe(folder, config, cohort, progressed, validation)
        return
    _say_what_comes(log, config, cohort, loader, engine, precision, progressed, goes_on)
    with profiled(folder, wanted=profile and engine.is_main, say=log) as after_step:
        session = Fit(
            config=config,
            folder=folder,
            engine=engine,
            generator=generator,
            discriminator=discriminator,
            update=update,
            loader=loader,
            validation=validation,
            progressed=progressed,
            stop=stop,
            progress=progress,
            on_epoch=tracker(training.tracking if engine.is_main else None, folder),
            say=log,
            after_step=after_step,
            refuse_lost=refuse_lost,
        )
        fit(session)
    if engine.is_main:
        _finish(folder, config, cohort, progressed, validation, log)


def _write_papers(folder: Path, config: Config, cohort: Cohort, engine: Engine, precision: str) -> None:
    sha256 = write_config(folder, config.without_places(*label_table(config)))
    write_provenance(
        folder,
        config=config,
        config_sha256=sha256,
        cases=cohort.cases,
        hashes=cohort.hashes,
        device=describe_device(engine.device),
        world_size=engine.world_size,
        precision=precision,
    )


def _say_what_comes(
    log: RunLog,
    config: Config,
    cohort: Cohort,
    loader: SliceLoader,
    engine: Engine,
    precision: str,
    progressed: Progressed,
    goes_on: bool,
) -> None:
    count = {name: len(cohort.split(name)) for name in ("train", "validation", "test")}
    log(
        f"{count['train']} cases to train on ({len(loader)} slices), {count['validation']} to validate, "
        f"{count['test']} held out; {describe_device(engine.device)}, {precision}"
    )
    if not count["validation"]:
        log("no case is held out for validation: the weights of the last epoch are kept")
    if few_steps(loader.steps, config.training.batch_size):
        log(f"an epoch is {loader.steps} steps: from so few slices, training.batch_size: {SMALL_BATCH} learns more")
    if loader.weightless:
        log(f"{loader.weightless} slices carry no weight: they count as loss 0")
    if goes_on:
        log(f"going on in epoch {progressed.epoch} after {progressed.step} of {loader.steps} steps")


def few_steps(steps: int, batch_size: int) -> bool:
    """Whether an epoch is so short that smaller batches would learn more in as many epochs.

    Examples:
        >>> few_steps(6, 16), few_steps(42, 2), few_steps(90, 16)
        (True, False, False)
    """
    return steps < FEW_STEPS and batch_size > SMALL_BATCH


def _finish(
    folder: Path, config: Config, cohort: Cohort, progressed: Progressed, validation: Validation, log: RunLog
) -> None:
    _draw_and_describe(folder, config, cohort, progressed, validation)
    log(f"finished: {progressed.epoch - 1} epochs, weights of epoch {progressed.best_epoch or progressed.epoch - 1}")
    for line in summary_lines(progressed.best_scores or {}, validation.unit_of):
        log(line)
    run, sources = quote(str(folder)), config.data.source_images
    scan = "PICTURE" if config.data.pictures else "SCAN"
    given = f"-i {scan}" if len(sources) == 1 else " ".join(f"-i {quote(f'{name}={scan}')}" for name in sources)
    held_out = f"; medp2p evaluate --run {run} -o SCORES" if any(case.split == "test" for case in cohort.cases) else ""
    log(f"next: medp2p translate {run} {given} -o PREDICTED{held_out}")


def _draw_and_describe(
    folder: Path, config: Config, cohort: Cohort, progressed: Progressed, validation: Validation
) -> None:
    """The curves and the card of a finished run, the same whenever they are made."""
    draw_history(folder, progressed.history, best_by=validation.column, best_epoch=progressed.best_epoch,
                 unit=validation.unit)  # fmt: skip
    header = read_header(folder / MODEL_FILE)
    write_card(
        folder,
        config=config,
        cases=cohort.cases,
        progressed=progressed,
        best_by=validation.column,
        unit=validation.unit,
        sha256=header.sha256,
    )
