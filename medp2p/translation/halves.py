"""Which half of a picture is translated, where both of a pair lie in one file."""

from collections.abc import Mapping
from pathlib import Path

from medp2p.errors import ConfigError, FileError
from medp2p.io.picture_halves import SIDES, cut_half
from medp2p.translation.description import Description
from medp2p.volume import Volume

WHOLE = "whole"
HALVES = (*SIDES, WHOLE)
"""What `--half` takes: the half that is the source, or the whole picture."""


def refuse_useless_half(half: str | None, description: Description) -> None:
    """Raise where a half is asked for that there cannot be.

    Raises:
        ConfigError: No such half, or a model of scans or of several sources.
    """
    if half is None:
        return
    if half not in HALVES:
        raise ConfigError(None, "there is no such half", key="--half", found=half, expected=", ".join(HALVES),
                          fix="write one of these")  # fmt: skip
    if not description.pictures or len(description.source_images) > 1:
        raise ConfigError(None, "only pictures of one source have halves", key="--half",
                          found=f"a model of {', '.join(description.source_images)}", fix="leave it out")  # fmt: skip


def source_halves(
    half: str | None, given: Mapping[str, Volume], paths: Mapping[str, Path], description: Description
) -> dict[str, Volume]:
    """The pictures that are translated: those given, or the half of them that is the source.

    A model that learnt from pairs side by side would take a pair for one picture, and paint over both halves: so a
    picture that is twice as wide as high, as all pairs of squares are, is not taken without a word.

    Args:
        half: A name of `HALVES`, or None where nobody said anything.
        given: The picture of each source.
        paths: Their files.
        description: Of the model; its `side_by_side` names the halves that it learnt from.

    Raises:
        FileError: A picture looks like a pair and nobody said what it is, or it cannot be halved.
    """
    if half in SIDES:
        return {name: cut_half(paths[name], volume, half) for name, volume in given.items()}
    if half is None and description.side_by_side:
        for name, volume in given.items():
            side = SIDES[description.side_by_side.index(name)]
            if volume.shape[0] == 2 * volume.shape[1]:
                raise FileError(
                    paths[name],
                    "this looks like a pair side by side, as those that the model learnt from",
                    found=f"{volume.shape[0]} x {volume.shape[1]} pixels",
                    expected=f"{name} alone",
                    fix=f"--half {side} takes its {side} half, --half {WHOLE} the whole picture",
                )
    return dict(given)
