"""Names of labels from a mapping: either way round, lists as unions, and groups of regions."""

import os
import re
from collections.abc import Mapping, Sequence

from medp2p.errors import Fault, RegionError, fault

PathLike = str | os.PathLike[str]
Names = dict[int, str]
Groups = dict[str, list[str]]
Table = Mapping[int, object] | Mapping[str, object]
_LARGEST_LABEL = 2**31 - 1
_RESERVED = ("volume", "body", "weighted", "outside")
"""Rows of every score table, whatever the regions are."""


def label_names(table: Table, *, path: PathLike | None = None) -> tuple[Names, Groups]:
    """Names and groups of a mapping, whichever way round it is written.

    Args:
        table: label -> name; name -> label, or list of labels and names; under `groups` a mapping of such lists.
            One name for several labels is their union; a list that shares labels with other names is a group.
        path: The file it came from, for messages.

    Returns:
        Label -> name, and group -> the names it joins.

    Raises:
        RegionError: What is no label or no name, a label with two names; all faults at once.

    Examples:
        >>> label_names({"1": "brain", "2": "bone"})
        ({1: 'brain', 2: 'bone'}, {})
        >>> label_names({"background": 0, "edema": 1, "core": [2, 3], "tumour": [1, 2, 3]})
        ({0: 'background', 1: 'edema', 2: 'core', 3: 'core'}, {'tumour': ['edema', 'core']})
    """
    building = _Building(path)
    lists: dict[str, object] = {}
    for key, value in table.items():
        if key == "groups" and isinstance(value, Mapping):
            lists |= {str(name): members for name, members in value.items()}
        elif isinstance(value, list | tuple):
            lists[str(key)] = value
        else:
            building.entry(str(key), value)
    building.unions({name: members for name, members in lists.items() if _labels(members)})
    for name, members in lists.items():
        building.group(name, members)
    return building.finished()


def label_of(value: object) -> int | None:
    """A label written as a number, or as text without leading zeros; None for all else.

    Examples:
        >>> label_of(4), label_of("4"), label_of("007"), label_of(True), label_of(2**31)
        (4, 4, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return int(text) if re.fullmatch(r"0|[1-9][0-9]{0,9}", text) and int(text) <= _LARGEST_LABEL else None


class _Building:
    """Names and groups while a table is read, with everything that is wrong in it."""

    def __init__(self, path: PathLike | None) -> None:
        self.path = path
        self.names: Names = {}
        self.groups: Groups = {}
        self.faults: list[Fault] = []

    def entry(self, key: str, value: object) -> None:
        """A label with its name, or a name with its label."""
        forwards, backwards = label_of(key), label_of(value)
        if forwards is not None and isinstance(value, str):
            self.name(forwards, value)
        elif backwards is not None:
            self.name(backwards, key)
        else:
            self.refuse(key, "neither a label with its name nor a name with its label", value, "write 1: brain")

    def name(self, label: int, name: str) -> None:
        """Call a label by a name."""
        if not name.strip() or len(name) > 200 or not name.isprintable():
            self.refuse(str(label), "no name for a region", repr(name), "write a word")
        elif name in _RESERVED:
            self.refuse(
                str(label), "a reserved name", name, f"call it otherwise: {', '.join(_RESERVED)} are no regions"
            )
        elif self.names.setdefault(label, name) != name:
            self.refuse(name, f"label {label} has two names", f"{self.names[label]}, {name}", "keep one of them")

    def unions(self, lists: Mapping[str, object]) -> None:
        """Let a list name its labels, where no other name tells them apart."""
        sets = {name: _labels(members) for name, members in lists.items()}
        single = set(self.names)
        for name, labels in sets.items():
            others = [other for called, other in sets.items() if called != name]
            if not labels & (single | set(self.names)) and all(labels <= o or not labels & o for o in others):
                for label in sorted(labels):
                    self.name(label, name)

    def group(self, name: str, members: object) -> None:
        """A list that has not become the name of its own labels is a group of other names."""
        if name in self.names.values():
            return
        if not isinstance(members, list | tuple) or not members:
            self.refuse(name, "a group needs a list of names or labels", members, "write [brain, bone]")
            return
        self.groups[name] = list(dict.fromkeys(self._member(name, member, members) for member in members))

    def _member(self, group: str, member: object, members: Sequence[object]) -> str:
        if not isinstance(member, int) or isinstance(member, bool):
            if member not in self.names.values():
                self.refuse(group, "a group of a region that has no label", member, "name the label it stands for")
            return str(member)
        if label_of(member) is None:
            self.refuse(group, "no label", member, "write a whole number from 0 on")
        called = self.names.setdefault(member, str(member))
        if {label for label, name in self.names.items() if name == called} - _labels(members):
            self.refuse(group, f"label {member} is a part of {called}", member, "give every label its own name")
        return called

    def refuse(self, key: str, cause: str, found: object, fix: str) -> None:
        """One more fault."""
        self.faults.append(fault(self.path, cause, key=key, found=str(found)[:60], fix=fix))

    def finished(self) -> tuple[Names, Groups]:
        """What was built, or everything that is wrong with it."""
        if self.faults:
            raise RegionError.several(self.faults)
        if not self.names:
            raise RegionError(self.path, "no label has a name here", fix="write a line such as 1: brain")
        return dict(sorted(self.names.items())), self.groups


def _labels(members: object) -> set[int]:
    """The labels of a list that holds nothing else; an empty set for any other."""
    if not isinstance(members, list | tuple):
        return set()
    found = {label for member in members if isinstance(member, int) and (label := label_of(member)) is not None}
    return found if len(found) == len(set(map(str, members))) else set()
