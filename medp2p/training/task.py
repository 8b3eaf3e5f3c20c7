"""`medp2p train`: everything is checked first, then a run folder is made, trained in, or gone on with."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from os import PathLike
from pathlib import Path

from torch import nn

from medp2p.config import Config, differing_keys, load_config, missing_data
from medp2p.data.augmentation import Augmentation
from medp2p.data.cohort import Cohort, label_table, prepare_cohort
from medp2p.data.slices import SliceLoader
from medp2p.device import describe_device, resolve_precision
from medp2p.errors import ConfigError, Fault, ModelError, fault
from medp2p.networks import build_discriminator, build_generator
from medp2p.training.card import write_card
from medp2p.training.checkpoint import CHECKPOINT_FILE, Progressed, load_checkpoint
from medp2p.training.engine import Engine
from medp2p.training.history import draw_history, write_history
from medp2p.training.interruption import Stop, never, stopping
from medp2p.training.loop import Fit, fit
from medp2p.training.papers import (
    CONFIG_FILE,
    read_config,
    read_provenance,
    write_config,
    write_places,
    write_provenance,
)
from medp2p.training.profile import profiled
from medp2p.training.run import Run, empty_run_folder, locked, refuse_run_folder
from medp2p.training.run_log import RunLog, run_log
from medp2p.training.start import start_from
from medp2p.training.step import Pix2PixUpdate
from medp2p.training.tracking import tracker
from medp2p.training.validation import HeldOut, Validation
from medp2p.translation.described import describe
from medp2p.translation.model_file import MODEL_FILE, read_header
from medp2p.translation.translator import Progress

logger = logging.getLogger(__name__)

_SHOWN = ("mae", "psnr", "ssim")
MAY_DIFFER = (
    "training.epochs",
    "training.decay_epochs",
    "training.validate_every",
    "training.tracking",
    "training.start_from",
)
"""Keys that a run may go on with other values of, beside the places of its data."""


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
    loaded = load_config(config, set)
    missing = missing_data(loaded)
    if missing:
        raise ConfigError.several([missing])
    folder = Path("runs", Path(config).stem) if run is None else Path(run)
    refuse_run_folder(folder, resume=resume, overwrite=overwrite)
    engine = Engine(device, devices, nodes)
    with locked(folder) if engine.is_main else nullcontext(_nothing_to_lose) as refuse_lost:
        store = loaded.data.store or folder.absolute().parent / ".medp2p-store"
        cohort = prepare_cohort(loaded, store=store, progress=stopping(progress, stop))
        goes_on = resume and (folder / CONFIG_FILE).is_file() and (folder / CHECKPOINT_FILE).is_file()
        if goes_on:
            refuse_other_work(folder, loaded, cohort, resumed=True)
        elif engine.is_main:
            empty_run_folder(folder)
        engine.barrier()
        with run_log(folder / "log.txt") as log:
            _run(folder, loaded, cohort, engine, log, goes_on, profile, progress, stop, refuse_lost)
    return Run(folder)


def _nothing_to_lose() -> None:
    """Other processes than the main one write nothing."""


def _run(
    folder: Path,
    config: Config,
    cohort: Cohort,
    engine: Engine,
    log: RunLog,
    goes_on: bool,
    profile: bool,
    progress: Progress | None,
    stop: Stop,
    refuse_lost: Callable[[], None],
) -> None:
    training = config.training
    generator, discriminator = _networks(config)
    state, progressed = load_checkpoint(folder / CHECKPOINT_FILE) if goes_on else ({}, Progressed())
    update = _update(config, engine, generator, discriminator)
    if goes_on:
        _take_up(folder, generator, discriminator, update, state)
    elif training.start_from is not None:
        start_from(training.start_from, generator, discriminator)
    loader = _loader(config, cohort, engine)
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
        log(f"the run is finished: {progressed.epoch - 1} epochs")
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


def _networks(config: Config) -> tuple[nn.Module, nn.Module]:
    """Both networks with their first weights, which depend on the seed alone."""
    data, given, judge = config.data, config.generator, config.discriminator
    sources = len(data.sources) * (2 * config.preparation.context_slices + 1)
    generator = build_generator(
        given.kind,
        in_channels=sources,
        out_channels=len(data.target),
        channels=given.channels,
        norm=given.norm,
        dropout=given.dropout,
        seed=config.training.seed,
    )
    discriminator = build_discriminator(
        judge.kind,
        in_channels=sources + len(data.target),
        channels=judge.channels,
        layers=judge.layers,
        norm=judge.norm,
        seed=config.training.seed + 1,
    )
    return generator, discriminator


def _update(config: Config, engine: Engine, generator: nn.Module, discriminator: nn.Module) -> Pix2PixUpdate:
    loss, training = config.loss, config.training
    return Pix2PixUpdate(
        engine.shared(generator),
        engine.shared(discriminator),
        adversarial=loss.adversarial,
        adversarial_weight=loss.adversarial_weight,
        l1_weight=loss.l1_weight,
        learning_rate=training.learning_rate,
        betas=training.betas,
        precision=resolve_precision(training.precision, engine.device),
        backward=engine.backward,
    )


def _loader(config: Config, cohort: Cohort, engine: Engine) -> SliceLoader:
    training, preparation = config.training, config.preparation
    if training.batch_size % engine.world_size:
        raise ConfigError.several(
            [
                config.fault(
                    "training.batch_size",
                    "the devices do not divide a batch",
                    found=training.batch_size,
                    expected=f"a multiple of {engine.world_size}",
                    fix="choose such a batch, or other --devices",
                )
            ]
        )
    changes = config.augmentation
    return SliceLoader(
        cohort.entries("train"),
        sources=len(config.data.sources),
        size=preparation.size,
        context=preparation.context_slices,
        batch_size=training.batch_size,
        seed=training.seed,
        augmentation=Augmentation(
            flip=changes.flip,
            rotate_degrees=changes.rotate_degrees,
            scale=changes.scale,
            translate=changes.translate,
        ),
        device=engine.device,
        rank=engine.rank,
        world_size=engine.world_size,
    )


def _take_up(
    folder: Path,
    generator: nn.Module,
    discriminator: nn.Module,
    update: Pix2PixUpdate,
    state: Mapping[str, dict[str, object]],
) -> None:
    try:
        generator.load_state_dict(state["generator"])
        discriminator.load_state_dict(state["discriminator"])
        update.load_state_dict(state["update"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelError(
            folder / CHECKPOINT_FILE,
            "the saved state does not fit the networks",
            found=str(error).splitlines()[0][:120],
            fix="train anew with --overwrite",
        ) from None


def refuse_other_work(folder: Path, config: Config, cohort: Cohort, *, resumed: bool) -> None:
    """Raise where a run would go on with another configuration or other scans.

    Raises:
        ConfigError: Keys or cases differ; all are named.
    """
    faults: list[Fault] = []
    before = read_config(folder)
    for key in differing_keys(before, config.without_places(*label_table(config))):
        if key not in MAY_DIFFER:
            faults.append(
                config.fault(
                    key, "the run was trained with another value", fix="put it back, or train anew (--overwrite)"
                )
            )
    known = read_provenance(folder)
    hashes = cohort.hashes
    for case in sorted({*known, *hashes}):
        if known.get(case) != hashes.get(case):
            cause = (
                "this case is new to the run"
                if case not in known
                else "this case of the run is gone"
                if case not in hashes
                else f"files of this case are others: {', '.join(_differing(known[case], hashes[case]))}"
            )
            faults.append(fault(folder, cause, key=case, fix="bring the same scans back, or train anew (--overwrite)"))
    if faults:
        raise ConfigError.several(faults)


def _differing(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))


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
    if loader.weightless:
        log(f"{loader.weightless} slices carry no weight: they count as loss 0")
    if goes_on:
        log(f"going on in epoch {progressed.epoch} after {progressed.step} of {loader.steps} steps")


def _finish(
    folder: Path, config: Config, cohort: Cohort, progressed: Progressed, validation: Validation, log: RunLog
) -> None:
    _draw_and_describe(folder, config, cohort, progressed, validation)
    log(f"finished: {progressed.epoch - 1} epochs, weights of epoch {progressed.best_epoch or progressed.epoch - 1}")
    for line in summary_lines(progressed.best_scores or {}, validation.unit_of):
        log(line)
    log(f"next: medp2p translate {folder} -i SCAN -o PREDICTED; medp2p evaluate --run {folder} -o SCORES")


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


def summary_lines(scores: Mapping[str, float | None], unit_of: Callable[[str], str]) -> list[str]:
    """The scores of a validation as a small table, a line for each region that has any.

    Examples:
        >>> found = {"body_mae": 51.25, "body_psnr": 30.5, "body_ssim": 0.9, "body_ms_ssim": None}
        >>> for line in summary_lines(found, {"mae": "HU", "psnr": "dB", "ssim": ""}.get):
        ...     print(line)
        validation region      mae (HU)    psnr (dB)         ssim
        body                      51.25         30.5          0.9
    """
    regions = [
        name.removesuffix("_mae") for name, value in scores.items() if name.endswith("_mae") and value is not None
    ]
    if not regions:
        return []
    heads = [f"{metric} ({unit})" if (unit := unit_of(metric)) else metric for metric in _SHOWN]
    table = [f"{'validation region':18}" + "".join(f"{head:>13}" for head in heads)]
    for region in regions:
        values = [scores.get(f"{region}_{metric}") for metric in _SHOWN]
        table.append(f"{region:18.18}" + "".join(f"{'-' if v is None else f'{v:.4g}':>13}" for v in values))
    return table
