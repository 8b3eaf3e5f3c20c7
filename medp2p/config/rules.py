"""Rules that join keys: each a plain function on the sections that are sound, so that all faults come at once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from medp2p.config.intensity_section import HU_CHANNELS
from medp2p.config.messages import nearest
from medp2p.config.section import RESERVED_REGIONS
from medp2p.config.strict_yaml import shown
from medp2p.errors import Fault

if TYPE_CHECKING:
    from medp2p.config.schema import Config

Rule = Callable[["Config"], Iterator[Fault]]
RULES: list[tuple[tuple[str, ...], Rule]] = []
"""Each rule after the keys it reads: it is left out where one of them is refused already."""

HU_PROTOCOLS = ("synthrad2023", "synthrad2025")
SIZE_MULTIPLES = {"unet_128": 128, "unet_256": 256, "resnet_6": 4, "resnet_9": 4}  # pixels; networks/limits.py agrees
BACKGROUND = "background"


def reads(*keys: str) -> Callable[[Rule], Rule]:
    """Registers a rule with the keys it reads."""

    def register(rule: Rule) -> Rule:
        RULES.append((keys, rule))
        return rule

    return register


@reads("data.sources", "data.target")
def channels_are_named_once(config: "Config") -> Iterator[Fault]:
    """A channel is an input once, or a target once."""
    data = config.data
    for key, names in (("data.sources", data.sources), ("data.target", data.target)):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield config.fault(key, "a channel is named twice", found=name, fix="name it once")
    for name in data.target:
        if name in data.sources:
            yield config.fault("data.target", "the target is a source too", found=name, fix="name another channel")


@reads("data.folder", "data.files", "data.split", "data.cases")
def cases_come_one_way(config: "Config") -> Iterator[Fault]:
    """A folder with files and split, or a list of cases; never both."""
    data = config.data
    if data.cases is None:
        return
    both = [f"data.{key}" for key in ("folder", "files", "split") if getattr(data, key) is not None]
    if both:
        fix = "keep data.cases alone, or folder, files and split; `null` takes a key away"
        yield config.fault(
            "data.cases", "never both: cases are listed, and there is a folder", found=", ".join(both), fix=fix
        )


@reads("data.sources", "data.target", "data.files")
def files_belong_to_channels(config: "Config") -> Iterator[Fault]:
    """Every file is that of a channel, and no file that of two."""
    data = config.data
    known = (*data.channels, "regions", "body")
    owner: dict[str, str] = {}
    for name, files in (data.files or {}).items():
        key = f"data.files.{name}"
        if name not in known:
            meant = nearest(name, known)
            fix = (
                f"did you mean `{meant}`?"
                if meant
                else f"remove it, or name it in data.sources; known: {', '.join(known)}"
            )
            yield config.fault(key, "no channel has this name", found=shown(name), fix=fix)
        elif len(files) > 1 and name != "regions":
            yield config.fault(key, "several files for one channel", found=len(files), expected="one", fix="keep one")
        for file in files:
            if owner.setdefault(file, name) != name:
                yield config.fault(key, f"the file of {owner[file]} too", found=shown(file), fix="name another file")


@reads("data.sources", "data.target", "data.cases")
def listed_cases_are_complete(config: "Config") -> Iterator[Fault]:
    """Every case of a list has its channels, nothing else, and an id of its own."""
    data = config.data
    if data.cases is None or isinstance(data.cases, Path):
        return
    first: dict[str, int] = {}
    for number, entry in enumerate(data.cases):
        key = f"data.cases.{number}"
        if first.setdefault(entry.id, number) != number:
            fix = "give each case an id of its own"
            yield config.fault(f"{key}.id", f"entry {first[entry.id]} has this id too", found=entry.id, fix=fix)
        for channel in data.channels:
            if channel not in entry.files:
                yield config.fault(key, f"case {entry.id} has no {channel}", fix=f"write {channel}: and its file")
        for name in entry.files:
            if name not in data.channels:
                known = (*data.channels, *type(entry).model_fields)
                meant = nearest(name, known)
                fix = f"did you mean `{meant}`?" if meant else f"remove it; known here are {', '.join(known)}"
                yield config.fault(f"{key}.{name}", "unknown key", found=shown(name), fix=fix)


@reads("data.split")
def somebody_is_left_to_train(config: "Config") -> Iterator[Fault]:
    """The shares held out leave a rest."""
    split = config.data.split
    if split and split.validation + split.test >= 1:
        found = f"{split.validation:g} + {split.test:g}"
        fix = "make the shares smaller"
        yield config.fault("data.split", "nobody is left to train on", found=found, expected="less than 1", fix=fix)


@reads("data.sources", "data.target", "intensity")
def maps_belong_to_channels(config: "Config") -> Iterator[Fault]:
    """Every intensity map is that of a channel."""
    for name in config.intensity:
        if name not in config.data.channels:
            meant = nearest(name, config.data.channels)
            fix = f"did you mean `{meant}`?" if meant else f"remove it; channels are {', '.join(config.data.channels)}"
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


@reads("regions", "data.files", "data.cases")
def weights_belong_to_regions(config: "Config") -> Iterator[Fault]:
    """A weight is that of a region that can be there."""
    known = known_regions(config)
    for name in config.regions.weights:
        if name in (RESERVED_REGIONS):
            fix = "give weights to regions of a label map; the rest of a slice weighs 1"
            yield config.fault(f"regions.weights.{name}", "no region of a label map", found=shown(name), fix=fix)
        elif known is not None and name not in (*known, BACKGROUND):
            yield _unknown_region(config, f"regions.weights.{name}", name, known)


@reads("regions", "data.files", "data.cases", "evaluation.best_by")
def the_best_region_can_be_scored(config: "Config") -> Iterator[Fault]:
    """The region of best_by is one that scores.csv will have."""
    name, known = config.evaluation.best_by.region, known_regions(config)
    if name in ("weighted", "outside"):
        if not any(weight > 1 for weight in config.regions.weights.values()):
            fix = "give a region a weight above 1, or write body"
            yield config.fault("evaluation.best_by.region", f"`{name}` needs a region that weighs above 1", fix=fix)
    elif known is not None and name not in (*known, *RESERVED_REGIONS):
        yield _unknown_region(config, "evaluation.best_by.region", name, (*known, *RESERVED_REGIONS))


def known_regions(config: "Config") -> tuple[str, ...] | None:
    """The names that regions can have, () without label maps; None where only the files can tell."""
    data, names = config.data, config.regions.names
    listed = data.cases is not None
    if not listed and not data.region_files:
        return ()
    if isinstance(data.cases, tuple) and not any(entry.regions for entry in data.cases):
        return ()
    single = len(data.region_files) == 1 or (
        isinstance(data.cases, tuple) and all(len(entry.regions) <= 1 for entry in data.cases)
    )
    if not single or names is None or isinstance(names, (str, Path)):
        return None
    return tuple(dict.fromkeys(names.values()))


def _unknown_region(config: "Config", key: str, name: str, known: tuple[str, ...]) -> Fault:
    if not known_regions(config):
        fix = "name the label maps: data.files.regions, or regions of each listed case"
        return config.fault(key, "there are no label maps", found=shown(name), fix=fix)
    meant = nearest(name, known)
    fix = f"did you mean `{meant}`?" if meant else f"regions are {', '.join(known)}"
    return config.fault(key, "no region has this name", found=shown(name), fix=fix)
