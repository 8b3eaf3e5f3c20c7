"""A folder of prepared planes, one file a case: made once, then memory-mapped, so memory never grows with a cohort.

A file is named after everything it was made of. It may be deleted at any time, and is made again when it is wrong.
"""

import errno
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medp2p.data.entry import Entry, read_entry, read_origin, write_entry
from medp2p.data.prepared import PreparedCase
from medp2p.io.atomic import sweep_stale
from medp2p.io.machine import file_error

log = logging.getLogger(__name__)

SUFFIX = ".planes"
FORMAT = 1
"""Of the files and of the way planes are made; another number and everything is made anew."""


class PlaneStore:
    """Several processes may use one folder at once; each file appears whole.

    Args:
        folder: Made where it is missing, for its owner alone.

    Raises:
        FileError: The folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise file_error(folder, error, doing="written") from None
        sweep_stale(self.folder)
        self._made_again: list[str] = []

    def entry(
        self,
        case: str,
        prepare: Callable[[], PreparedCase],
        *,
        settings: Mapping[str, Any],
        content: Mapping[str, str],
        place: str = "",
    ) -> Entry:
        """The planes of a case: those of the folder where they are whole and made of the same, else made now.

        Args:
            case: Its id.
            prepare: Makes the planes.
            settings: Everything else that decides on them, as plain values.
            content: Hash of what each of its files holds.
            place: Where the files lie, only to tell a case whose files changed from one of another cohort; kept as
                a hash.

        Raises:
            FileError: The file cannot be written, or what was written cannot be read.
        """
        key = _hash({"format": FORMAT, "settings": settings, "content": content})
        path = self.folder / f"{case}.{key[:24]}{SUFFIX}"
        found = _whole(path, case, key)
        if found is not None:
            return found
        made_of = {"settings": _hash(settings), "content": dict(content), "place": _hash(place)}
        if path.exists() or self._had_other_files(case, made_of):
            self._made_again.append(case)
        write_entry(path, case, key, made_of, prepare())
        made = _whole(path, case, key)
        if made is None:
            raise file_error(path, OSError(errno.EIO, os.strerror(errno.EIO)))
        return made

    def tell(self) -> None:
        """One warning for all cases that had to be made again: damaged, or of files that changed."""
        if self._made_again:
            log.warning("prepared again, being damaged or of changed files: %s", ", ".join(self._made_again))
            self._made_again.clear()

    @property
    def bytes(self) -> int:
        """Size of everything that is kept."""
        return sum(path.stat().st_size for path in self.folder.glob(f"*{SUFFIX}"))

    def _had_other_files(self, case: str, made_of: Mapping[str, Any]) -> bool:
        """Whether the planes of this very case were once made in the same way of files that held something else."""
        others = (read_origin(path) for path in self.folder.glob(f"{case}.*{SUFFIX}"))
        return any(
            whose == case and all(other.get(name) == made_of[name] for name in ("settings", "place"))
            for whose, other in others
        )


def _whole(path: Path, case: str, key: str) -> Entry | None:
    """The entry of that file if it is whole and what its name says: two files may have been exchanged."""
    found = read_entry(path)
    return found if found is not None and (found.case, found.key) == (case, key) else None


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
