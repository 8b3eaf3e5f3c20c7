"""From a configuration to what a training consists of: networks, their update, the loader; and their saved state."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from medp2p.config import Config
from medp2p.data.augmentation import Augmentation
from medp2p.data.cohort import Cohort
from medp2p.data.slices import SliceLoader
from medp2p.device import resolve_precision
from medp2p.errors import ConfigError, ModelError
from medp2p.networks import build_discriminator, build_generator
from medp2p.training.engine import Engine
from medp2p.training.step import Pix2PixUpdate
from medp2p.translation.model_file import STATE_FILE


def build_networks(config: Config) -> tuple[nn.Module, nn.Module]:
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


def build_update(config: Config, engine: Engine, generator: nn.Module, discriminator: nn.Module) -> Pix2PixUpdate:
    """One step of both networks, which are moved onto the engine's device."""
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


def refuse_undivided_batch(config: Config, processes: int) -> None:
    """Raise a ConfigError where the devices do not divide a batch."""
    if config.training.batch_size % processes:
        raise ConfigError.several(
            [
                config.fault(
                    "training.batch_size",
                    "the devices do not divide a batch",
                    found=config.training.batch_size,
                    expected=f"a multiple of {processes}",
                    fix="choose such a batch, or other --devices",
                )
            ]
        )


def build_loader(config: Config, cohort: Cohort, engine: Engine) -> SliceLoader:
    """The batches of this process."""
    training, preparation = config.training, config.preparation
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


def take_up(
    folder: Path,
    generator: nn.Module,
    discriminator: nn.Module,
    update: Pix2PixUpdate,
    state: Mapping[str, dict[str, object]],
) -> None:
    """Puts a saved state into networks and optimisers.

    Raises:
        ModelError: It is of other networks.
    """
    try:
        generator.load_state_dict(state["generator"])
        discriminator.load_state_dict(state["discriminator"])
        update.load_state_dict(state["update"])
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            folder / STATE_FILE,
            "the saved state does not fit the networks",
            found=(str(error).splitlines() or [type(error).__name__])[0][:120],
            fix="train anew with --overwrite",
        ) from None
