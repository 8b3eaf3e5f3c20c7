"""Rules on what networks see and how they are trained."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from medp2p.config.intensity_section import HU_CHANNELS
from medp2p.config.rule import reads
from medp2p.config.strict_yaml import shown
from medp2p.errors import Fault
from medp2p.nearest import did_you_mean

if TYPE_CHECKING:
    from medp2p.config.schema import Config


HU_PROTOCOLS = ("synthrad2023", "synthrad2025")
SIZE_MULTIPLES = {"unet_128": 128, "unet_256": 256, "resnet_6": 4, "resnet_9": 4}  # pixels; networks/limits.py agrees


@reads("data.kind", "data.sources", "data.target", "intensity")
def maps_belong_to_channels(config: "Config") -> Iterator[Fault]:
    """Every intensity map is that of a channel, or of a picture."""
    known = tuple(dict.fromkeys((*config.data.channels, *config.data.images)))
    for name in config.intensity:
        if name not in known:
            fix = did_you_mean(name, known, f"remove it; channels are {', '.join(known)}")
            yield config.fault(f"intensity.{name}", "no channel has this name", found=shown(name), fix=fix)


@reads("intensity")
def maps_open_upwards(config: "Config") -> Iterator[Fault]:
    """Low lies below high, percentages from 0 to 100, HU are whole and fit into int16."""
    for name, choice in config.intensity.items():
        key, found = f"intensity.{name}", f"low {choice.low:g}, high {choice.high:g}"
        if choice.low >= choice.high:
            yield config.fault(key, "low must lie below high", found=found, fix="exchange or widen them")
        elif choice.kind == "percentile" and not (choice.low >= 0 and choice.high <= 100):
            yield config.fault(key, "no percentages", found=found, expected="0 to 100", fix="write percentages")
        if choice.hu and choice.kind == "percentile":
            fix = "write kind: window, or leave hu out"
            yield config.fault(f"{key}.hu", "a percentile map cannot be in HU", fix=fix)
        elif choice.hu and not all(value.is_integer() and abs(value) <= 32767 for value in (choice.low, choice.high)):
            fix = "write whole HU; predicted CTs are int16"
            yield config.fault(key, "no window in HU", found=found, expected="whole HU within ±32767", fix=fix)


@reads("generator.kind", "preparation.size")
def the_generator_can_halve_the_slice(config: "Config") -> Iterator[Fault]:
    """Height and width are multiples of what the generator halves."""
    step, kind = SIZE_MULTIPLES[config.generator.kind], config.generator.kind
    wrong = [size for size in config.preparation.size if size % step]
    if wrong:
        fitting = [max(step, -(-size // step) * step) for size in config.preparation.size]
        found, expected = list(config.preparation.size), f"multiples of {step} for {kind}"
        smaller = "" if kind == "unet_128" else ", or take another generator.kind: unet_128 needs 128, resnet_9 4"
        fix = f"write {fitting}{smaller}"
        yield config.fault("preparation.size", "the generator cannot halve it", found=found, expected=expected, fix=fix)


@reads("discriminator.kind", "discriminator.layers", "preparation.size")
def the_discriminator_fits_the_slice(config: "Config") -> Iterator[Fault]:
    """A patch discriminator needs three pixels after its halvings."""
    judge, shortest = config.discriminator, min(config.preparation.size)
    needed = 3 * 2**judge.layers
    if judge.kind == "patch" and shortest < needed:
        deepest = max((shortest // 3).bit_length() - 1, 1)
        found, expected = f"{judge.layers} for slices of {shortest} pixels", f"at least {needed} pixels"
        fix = f"write {deepest}, or a larger preparation.size"
        yield config.fault(
            "discriminator.layers", "deeper than the slice allows", found=found, expected=expected, fix=fix
        )


@reads("loss")
def something_is_minimised(config: "Config") -> Iterator[Fault]:
    """Not both factors are 0."""
    if config.loss.adversarial_weight == 0 and config.loss.l1_weight == 0:
        yield config.fault("loss", "both weights are 0: nothing is trained", fix="raise loss.l1_weight")


@reads("training.epochs", "training.decay_epochs")
def there_is_an_epoch(config: "Config") -> Iterator[Fault]:
    """At least one epoch in all."""
    if config.training.epochs + config.training.decay_epochs == 0:
        yield config.fault("training.epochs", "no epoch at all", found=0, expected="at least 1", fix="write 1 or more")


@reads("data.target", "intensity", "evaluation.protocol")
def the_protocol_fits_the_target(config: "Config") -> Iterator[Fault]:
    """An HU protocol is for targets in HU."""
    protocol = config.evaluation.protocol
    if protocol not in HU_PROTOCOLS:
        return
    for name in config.data.target:
        if name in config.intensity and not config.intensity[name].hu:
            found, expected = (
                f"{protocol} for {name}",
                f"a target in HU (named {' or '.join(HU_CHANNELS)}, or hu: true)",
            )
            fix = "write auto, or mr"
            yield config.fault(
                "evaluation.protocol", "the protocol is for HU only", found=found, expected=expected, fix=fix
            )


RULES = (
    maps_belong_to_channels,
    maps_open_upwards,
    the_generator_can_halve_the_slice,
    the_discriminator_fits_the_slice,
    something_is_minimised,
    there_is_an_epoch,
    the_protocol_fits_the_target,
)
