"""What every section of a configuration is made of: strictness, refusals, and the words that may stand in it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from medp2p.config.strict_yaml import shown

RESERVED_REGIONS = ("volume", "body", "weighted", "outside")
"""Rows of scores.csv that every case has; no region of a label map may be called so."""

RESERVED_CHANNELS = ("id", "patient", "split", "allow", "regions", "body", "case")
"""Words of a list of cases, and of file names; no channel may be called so."""

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_NAME = 255


class Section(BaseModel):
    """One section: frozen, strict, without unknown keys, NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=False)


class RefusalError(ValueError):
    """Why a value is refused, in the parts of a message of medp2p."""

    def __init__(self, cause: str, *, found: object = None, expected: str | None = None, fix: str) -> None:
        super().__init__(cause)
        self.cause, self.found, self.expected, self.fix = cause, found, expected, fix


def one_or_several(value: object) -> object:
    """A single word stands for a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def channel_name(name: str) -> str:
    """The name of a channel, unchanged.

    Raises:
        RefusalError: Files cannot be named after it, or the word has another meaning.
    """
    if name in RESERVED_CHANNELS:
        fix = f"call it otherwise than {', '.join(RESERVED_CHANNELS)}"
        raise RefusalError("a channel cannot have this name", found=shown(name), fix=fix)
    if not _WORD.fullmatch(name) or ".." in name:
        fix = "use letters, digits, `.`, `_` and `-`: files are named after it"
        raise RefusalError("no name for a channel", found=shown(name), fix=fix)
    return name


def case_id(name: str) -> str:
    """The id of a case, unchanged; it never becomes a path out of a folder.

    Raises:
        RefusalError: Files cannot be named after it.

    Examples:
        >>> case_id("1BA.001")
        '1BA.001'
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", name) or ".." in name:
        fix = "use up to 64 letters, digits, `.`, `_` and `-`, no dot first: files are named after it"
        raise RefusalError("no name for a case", found=shown(name), fix=fix)
    return name


def _plain(text: str) -> str:
    if not text.strip() or _CONTROL.search(text):
        raise RefusalError("no usable text", found=shown(text), fix="write a word without control characters")
    return text


def _place(text: str) -> str:
    if any(len(part.encode("utf-8", "surrogateescape")) > _LONGEST_NAME for part in Path(text).parts):
        raise RefusalError("no file can have such a long name", found=shown(text), fix="write the path of a file")
    return _plain(text)


def file_name(name: str) -> str:
    """The name of a file in a case folder, unchanged.

    Raises:
        RefusalError: It leads out of the folder, or braces hold another word than `case`.
    """
    rest = name.replace("{case}", "")
    if not rest.strip() or _CONTROL.search(name) or {"{", "}"} & set(rest):
        raise RefusalError(
            "no usable file name", found=shown(name), fix="write a name in which only {case} is in braces"
        )
    if Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name:
        fix = "name a file inside the case folder; a folder elsewhere is data.folder, single files are data.cases"
        raise RefusalError("the file is not inside the case folder", found=shown(name), fix=fix)
    return name


def check_word(kind: Callable[[str], str], word: str) -> str | None:
    """Why a word is refused, or None.

    Examples:
        >>> check_word(case_id, "S01"), check_word(case_id, "../S01")
        (None, 'no name for a case')
    """
    try:
        kind(word)
    except RefusalError as refusal:
        return refusal.cause
    return None


ChannelName = Annotated[str, AfterValidator(channel_name)]
CaseId = Annotated[str, AfterValidator(case_id)]
Text = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
FileName = Annotated[str, Field(max_length=255), AfterValidator(file_name)]
Place = Annotated[Path, BeforeValidator(lambda value: _place(value) if isinstance(value, str) else value)]
Weight = Annotated[float, Field(ge=0, le=1e6)]
Fraction = Annotated[float, Field(ge=0, le=1)]
