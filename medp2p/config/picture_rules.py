"""Rules on pictures: what belongs to them alone, and what they cannot have."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from medp2p.config.rule import reads
from medp2p.config.strict_yaml import shown
from medp2p.errors import Fault
from medp2p.nearest import did_you_mean

if TYPE_CHECKING:
    from medp2p.config.schema import Config


@reads("data", "preparation.resize", "evaluation.protocol")
def what_pictures_alone_have(config: "Config") -> Iterator[Fault]:
    """Keys that mean nothing for scans."""
    if config.data.pictures:
        return
    given = {
        "data.side_by_side": config.data.side_by_side,
        "data.bits": config.data.bits,
        "preparation.resize": config.preparation.resize,
        "evaluation.protocol": config.evaluation.protocol == "picture",
    }
    for key in (key for key, value in given.items() if value):
        yield config.fault(key, "this is for pictures alone", fix="write data.kind: pictures, or leave it out")


@reads("data.kind", "data.layout", "preparation", "intensity", "evaluation.protocol")
def what_pictures_cannot_have(config: "Config") -> Iterator[Fault]:
    """Keys that mean nothing where there is neither a patient nor a neighbouring slice."""
    if not config.data.pictures:
        return
    preparation = config.preparation
    given = {
        "data.layout": config.data.layout != "folders",
        "preparation.plane": preparation.plane != "axial",
        "preparation.spacing_mm": preparation.spacing_mm is not None,
        "preparation.context_slices": preparation.context_slices > 0,
        "preparation.mask_outside_body": preparation.mask_outside_body,
        **{f"intensity.{name}.hu": entry.hu for name, entry in config.intensity.items()},
        "evaluation.protocol": config.evaluation.protocol not in ("auto", "picture"),
    }
    for key in (key for key, value in given.items() if value):
        yield config.fault(key, "pictures cannot have this", fix="leave it out")


@reads("data.kind", "preparation.resize", "preparation.size")
def a_slice_can_be_cut(config: "Config") -> Iterator[Fault]:
    """A picture is never resized to less than a slice."""
    resize, size = config.preparation.resize, config.preparation.size
    if resize and any(larger < smaller for larger, smaller in zip(resize, size, strict=True)):
        found, fix = (
            f"{list(resize)} for slices of {list(size)}",
            "write the size itself, or more: the reference has 286",
        )
        yield config.fault("preparation.resize", "smaller than a slice", found=found, expected=list(size), fix=fix)


@reads("data.kind", "data.sources", "data.target", "data.side_by_side", "data.bits")
def halves_and_depths_belong_to_pictures(config: "Config") -> Iterator[Fault]:
    """Side by side lie one source and one target; a depth is that of a picture."""
    data = config.data
    if not data.pictures:
        return
    images = tuple(data.images)
    if data.side_by_side and sorted(data.side_by_side) != sorted(images):
        yield config.fault(
            "data.side_by_side",
            "the halves are not the one source and the one target",
            found=", ".join(data.side_by_side),
            expected=f"{' and '.join(images)}, the left one first",
            fix="name them as in data.sources and data.target",
        )
    for name in data.bits:
        if name not in images:
            fix = did_you_mean(name, images, f"pictures are {', '.join(images)}")
            yield config.fault(f"data.bits.{name}", "no picture has this name", found=shown(name), fix=fix)


RULES = (
    what_pictures_alone_have,
    what_pictures_cannot_have,
    a_slice_can_be_cut,
    halves_and_depths_belong_to_pictures,
)
