"""Cases known by the names of their files alone: `{case}` stands for the case, `*` for anything within one name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from medp2p.data.layouts.tree import TreeCase, as_case, gathered, image_paths, roles_of
from medp2p.errors import Fault, fault
from medp2p.io import image_stem

_CASE = r"(?P<case>[A-Za-z0-9][A-Za-z0-9._\-]*?)"


def named_cases(
    folder: Path, channels: Sequence[str], files: Mapping[str, Sequence[str]]
) -> tuple[list[TreeCase], list[Fault]]:
    """Cases by patterns of paths, as `{case}_ct.nii.gz` or `*/{case}/ct.mha`; by default `{case}_<channel>`.

    An extension counts for nothing. A file belongs to the pattern that says most of it.
    """
    patterns = roles_of(channels, files, "{case}_{channel}")
    faults = [
        fault(folder, f"no {{case}} in the name of {role}", found=pattern, fix="write where in it the case stands",
              key="data.files")
        for role, pattern in patterns.items() if "{case}" not in pattern
    ]  # fmt: skip
    if faults:
        return [], faults
    cases, faults = gathered(folder, matched(folder, patterns))
    return [as_case(case, case, roles) for case, roles in cases.items()], faults


def matched(folder: Path, patterns: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Case, role and relative path of every file that a pattern fits."""
    by_detail = sorted(patterns.items(), key=lambda item: -len(item[1].replace("{case}", "").replace("*", "")))
    expressions = [(role, expression_of(pattern)) for role, pattern in by_detail]
    for path in image_paths(folder, below={_fixed_part(pattern) for pattern in patterns.values()}):
        stem = _stem(path)
        for role, expression in expressions:
            if found := expression.fullmatch(stem):
                yield found["case"], role, path
                break


def expression_of(pattern: str) -> re.Pattern[str]:
    """What a pattern fits, of paths without extension.

    Examples:
        >>> expression_of("*/{case}/{case}_ct.mha").fullmatch("AB/1ABA005/1ABA005_ct")["case"]
        '1ABA005'
        >>> expression_of("{case}_ct.nii.gz").fullmatch("sub/S1_ct")
    """
    parts, seen = [], False
    for part in re.split(r"(\{case\}|\*)", _stem(pattern)):
        if part == "{case}":
            parts.append("(?P=case)" if seen else _CASE)
            seen = True
        else:
            parts.append("[^/]*" if part == "*" else re.escape(part))
    return re.compile("".join(parts))


def _stem(path: str) -> str:
    parent, name = PurePosixPath(path).parent.as_posix(), image_stem(path)
    return name if parent == "." else f"{parent}/{name}"


def _fixed_part(pattern: str) -> str:
    """The folders of a pattern before the first that is not known."""
    parts = PurePosixPath(pattern).parts[:-1]
    known = next((number for number, part in enumerate(parts) if "{" in part or "*" in part), len(parts))
    return "/".join(parts[:known])
