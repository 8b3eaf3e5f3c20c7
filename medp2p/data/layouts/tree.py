"""Files of a tree, and the cases that they make: what all layouts have in common."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medp2p.config.section import case_id, check_word
from medp2p.errors import Fault, fault
from medp2p.io import INPUT_EXTENSIONS, passed_over
from medp2p.io.machine import file_error


@dataclass(frozen=True)
class TreeCase:
    """The files of one case.

    Attributes:
        id: How results call it.
        patient: Whose it is.
        files: The file of each channel that is there.
        regions: Its label maps.
        body: Its mask of the body.
    """

    id: str
    patient: str
    files: Mapping[str, Path]
    regions: tuple[Path, ...] = ()
    body: Path | None = None


def image_paths(folder: Path, *, below: Iterable[str] = ("",), leave_out: Iterable[str] = ()) -> Iterator[str]:
    """Every image of a tree as a path relative to it, with `/`, in the order of their names; links are followed.

    Args:
        folder: Its root.
        below: Folders in it to look into, relative to it.
        leave_out: Names of folders directly in it that are not looked into.

    Raises:
        FileError: A folder cannot be read.
    """
    left_out = set(leave_out)
    for start in sorted({part for part in below if (folder / part).is_dir()}):
        for place, folders, names in os.walk(folder / start, followlinks=True, onerror=_refuse):
            here = Path(place).relative_to(folder)
            folders[:] = sorted(
                name for name in folders if not name.startswith(".") and not (here == Path() and name in left_out)
            )
            for name in sorted(names):
                if name.lower().endswith(INPUT_EXTENSIONS) and not passed_over(name):
                    yield (here / name).as_posix()


def _refuse(error: OSError) -> None:
    raise file_error(error.filename or "", error)


def gathered(folder: Path, found: Iterable[tuple[str, str, str]]) -> tuple[dict[str, dict[str, Path]], list[Fault]]:
    """The files of each case by their role, and those of which a case has two.

    Args:
        folder: The root.
        found: Case, role and relative path of every file that has a role.
    """
    cases: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case, role, path in found:
        if path not in cases[case][role]:
            cases[case][role].append(path)
    faults = [
        fault(folder / paths[0], f"two files for {role} of {case}", found=folder / paths[1], expected="one",
              fix="write in data.files what tells them apart, or take one away")
        for case, roles in sorted(cases.items()) for role, paths in roles.items() if len(paths) > 1
    ]  # fmt: skip
    faults += [
        fault(folder, "a name cannot be a case id", found=case, expected="letters, digits, `.`, `_` and `-`",
              fix="rename its files: results are named after it")
        for case in sorted(cases) if check_word(case_id, case)
    ]  # fmt: skip
    return {
        case: {role: folder / paths[0] for role, paths in roles.items()} for case, roles in sorted(cases.items())
    }, faults


def as_case(case: str, patient: str, roles: Mapping[str, Path]) -> TreeCase:
    """A case of its files by role: channels, `regions 0`, `regions 1` …, `body`."""
    regions = [roles[role] for role in sorted(roles) if role.startswith("regions ")]
    files = {role: path for role, path in roles.items() if role != "body" and not role.startswith("regions ")}
    return TreeCase(case, patient, files, tuple(regions), roles.get("body"))


def roles_of(channels: Iterable[str], files: Mapping[str, Iterable[str]], default: str) -> dict[str, str]:
    """What is written of each role in `data.files`; a channel of which nothing is written has the default.

    Args:
        channels: Sources and targets.
        files: `data.files`.
        default: With `{channel}` for the name of the channel.

    Examples:
        >>> roles_of(["mr"], {"regions": ["a", "b"]}, "{case}_{channel}")
        {'mr': '{case}_mr', 'regions 0': 'a', 'regions 1': 'b'}
    """
    roles = {name: next(iter(files.get(name, ())), default.replace("{channel}", name)) for name in channels}
    roles |= {f"regions {number}": name for number, name in enumerate(files.get("regions", ()))}
    return roles | ({"body": body} if (body := next(iter(files.get("body", ())), None)) else {})
