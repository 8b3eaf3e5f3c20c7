"""`last.pt`: everything that training needs to go on as if it had never stopped."""

import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from medp2p.errors import ModelError
from medp2p.io.atomic import atomic_file

CHECKPOINT_VERSION = 1
_FIX = "train anew with --overwrite, or put an intact last.pt back"


@dataclass
class Progressed:
    """Where a training stands.

    Attributes:
        epoch: The epoch that runs, counted from 1.
        step: Steps of it that are done.
        sums: Sum of every loss over the samples of the running epoch, for its row of the history.
        samples: How many samples these are.
        seconds: Time spent in the running epoch so far.
        best: Score of the best weights so far; None before there is one.
        best_epoch: The epoch they are of.
        best_scores: What that validation found, by column of the history.
        history: A row for every finished epoch.
        validated: Whether the running epoch, all of its steps done, was validated already.
        scores: What that validation found, by column of the history.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    epoch: int = 1
    step: Annotated[int, Field(ge=0)] = 0
    sums: dict[str, float] = field(default_factory=dict)
    samples: Annotated[int, Field(ge=0)] = 0
    seconds: float = 0.0
    best: float | None = None
    best_epoch: int | None = None
    best_scores: dict[str, float | None] | None = None
    history: list[dict[str, float | None]] = field(default_factory=list)
    validated: bool = False
    scores: dict[str, float | None] = field(default_factory=dict)


def save_checkpoint(path: Path, state: dict[str, Any], progressed: Progressed) -> None:
    """Writes the whole state, whole or not at all.

    Args:
        path: The file; an older one is replaced.
        state: Networks and optimisers, by name.
        progressed: Where the training stands.
    """
    with atomic_file(path, overwrite=True) as file:
        torch.save({"version": CHECKPOINT_VERSION, **state, "progressed": asdict(progressed)}, file)


def load_checkpoint(path: Path) -> tuple[dict[str, Any], Progressed]:
    """The state that was saved; nothing in the file can run code.

    Raises:
        ModelError: The file is damaged, or comes from a newer medp2p.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums that the archive has
            damaged = archive.testzip()
        if damaged:
            raise ModelError(path, "the saved state is damaged", found="a wrong checksum", fix=_FIX)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # whatever a damaged archive makes zipfile, pickle and torch stumble over
        raise ModelError(path, "the saved state cannot be read", found=type(error).__name__, fix=_FIX) from None
    if not isinstance(state, dict) or state.get("version") != CHECKPOINT_VERSION:
        found = state.get("version") if isinstance(state, dict) else None
        raise ModelError(path, "a saved state of another version", found=found, expected=CHECKPOINT_VERSION,
                         fix="go on with the medp2p that wrote it")  # fmt: skip
    return state, _progressed(path, state.pop("progressed", None))


def _progressed(path: Path, values: object) -> Progressed:
    """Where the training stood, if that is what the values say."""
    try:
        progressed = TypeAdapter(Progressed).validate_python(values)
    except ValidationError as error:
        found = ".".join(map(str, error.errors()[0]["loc"])) or type(values).__name__
        raise ModelError(path, "the saved state does not say where training stood", found=found, fix=_FIX) from None
    if len(progressed.history) != progressed.epoch - 1:
        found = f"epoch {progressed.epoch} after {len(progressed.history)} finished ones"
        raise ModelError(path, "the saved state contradicts itself", found=found, fix=_FIX)
    return progressed
