"""Rules on cases: channels, their files, and who is held out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from medp2p.config.rule import reads
from medp2p.config.strict_yaml import shown
from medp2p.errors import Fault
from medp2p.nearest import did_you_mean

if TYPE_CHECKING:
    from medp2p.config.schema import Config


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


@reads("data.folder", "data.layout", "data.files", "data.split", "data.cases")
def cases_come_one_way(config: "Config") -> Iterator[Fault]:
    """A folder with files and split, or a list of cases; never both."""
    data = config.data
    if data.cases is None:
        return
    both = [f"data.{key}" for key in ("folder", "files", "split") if getattr(data, key) is not None]
    both += ["data.layout"] if data.layout != "folders" else []
    if both:
        fix = "keep data.cases alone, or folder, files and split; `null` takes a key away"
        yield config.fault(
            "data.cases", "never both: cases are listed, and there is a folder", found=", ".join(both), fix=fix
        )


@reads("data.kind", "data.sources", "data.target", "data.files")
def files_belong_to_channels(config: "Config") -> Iterator[Fault]:
    """Every file is that of a channel, and no file that of two."""
    data = config.data
    known = (*data.images, "regions", *(() if data.pictures else ("body",)))
    owner: dict[str, str] = {}
    for name, files in (data.files or {}).items():
        key = f"data.files.{name}"
        if name not in known:
            fix = did_you_mean(name, known, f"remove it, or name it in data.sources; known: {', '.join(known)}")
            yield config.fault(key, "no channel has this name", found=shown(name), fix=fix)
        elif len(files) > 1 and name != "regions":
            yield config.fault(key, "several files for one channel", found=len(files), expected="one", fix="keep one")
        for file in files:
            if owner.setdefault(file, name) != name:
                yield config.fault(key, f"the file of {owner[file]} too", found=shown(file), fix="name another file")


@reads("data.kind", "data.sources", "data.target", "data.cases")
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
        for image in data.images:
            if image not in entry.files:
                yield config.fault(key, f"case {entry.id} has no {image}", fix=f"write {image}: and its file")
        for name in entry.files:
            if name not in data.images:
                known = (*data.images, *type(entry).model_fields)
                fix = did_you_mean(name, known, f"remove it; known here are {', '.join(known)}")
                yield config.fault(f"{key}.{name}", "unknown key", found=shown(name), fix=fix)


@reads("data.split")
def somebody_is_left_to_train(config: "Config") -> Iterator[Fault]:
    """The shares held out leave a rest."""
    split = config.data.split
    if split and split.validation + split.test >= 1:
        found = f"{split.validation:g} + {split.test:g}"
        fix = "make the shares smaller"
        yield config.fault("data.split", "nobody is left to train on", found=found, expected="less than 1", fix=fix)


RULES = (
    channels_are_named_once,
    cases_come_one_way,
    files_belong_to_channels,
    listed_cases_are_complete,
    somebody_is_left_to_train,
)
