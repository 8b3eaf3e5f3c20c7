"""Where the keys of a configuration were written: a line of a file, or an option of the command line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from medp2p.config.strict_yaml import KeyPath
from medp2p.errors import Fault, fault


@dataclass(frozen=True, eq=False)
class Origin:
    """The file, the line of each key in it, and the overrides that replaced some.

    Attributes:
        path: The file as the user typed it; None where there is none.
        lines: The line, counted from 1, of every key of the file.
        overrides: The option, as in `--set training.epochs`, of every key that one replaced.
    """

    path: str | None = None
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    overrides: Mapping[KeyPath, str] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Where a value was written is no part of a configuration: two origins never make a difference."""
        return isinstance(other, Origin)

    def __hash__(self) -> int:
        return 0

    def override_of(self, keys: Iterable[object]) -> str | None:
        """The option that a key comes from: one that set it, something around it, or something in it alone."""
        path = tuple(map(str, keys))
        inside = [option for key, option in self.overrides.items() if key[: len(path)] == path]
        if path and path not in self.lines and inside:
            return inside[0]
        return next(
            (self.overrides[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.overrides), None
        )

    def line_of(self, keys: Iterable[object]) -> int | None:
        """The line of a key, or of the nearest section around it that the file has."""
        path = tuple(map(str, keys))
        return next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), None)

    def fault(
        self, keys: Iterable[object], cause: str, *, found: object = None, expected: object = None, fix: str
    ) -> Fault:
        """A fault of one key: `FILE:LINE: KEY: …`, or `--set KEY: …`."""
        path = tuple(map(str, keys))
        key, option = ".".join(path), self.override_of(path)
        if option is None:
            return fault(
                self.path, cause, found=found, expected=expected, fix=fix, key=key or None, line=self.line_of(path)
            )
        named = None if option.split()[-1] == key else key
        return fault(option, cause, found=found, expected=expected, fix=fix, key=named)
