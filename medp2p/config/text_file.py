"""Small text files that people write: configurations, label tables, lists of cases."""

import stat
from os import PathLike
from pathlib import Path

from medp2p.errors import ConfigError, FileError

MAX_BYTES = 1_000_000

_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


def read_text(path: str | PathLike[str], *, limit: int = MAX_BYTES) -> str:
    """The text of a UTF-8 file, with or without a byte-order mark.

    Args:
        path: A regular file; pipes, devices and folders are refused without being opened.
        limit: The largest size taken, in bytes.

    Raises:
        FileError: There is no such file, it is no regular file, or it cannot be read.
        ConfigError: It is too large or no UTF-8 text.
    """
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        raise FileError(path, "there is no such file", fix="check the path as typed") from None
    except (OSError, ValueError) as error:
        raise FileError(path, f"cannot be looked at: {_reason(error)}", fix="check the path as typed") from error
    if not stat.S_ISREG(status.st_mode):
        found = next((name for test, name in _KINDS if test(status.st_mode)), "a device")
        raise FileError(path, "this is no file", found=found, fix="give the path of a text file")
    try:
        with Path(path).open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise FileError(path, f"cannot be read: {_reason(error)}", fix="check its permissions") from error
    if len(content) > limit:
        found = f"{status.st_size} bytes"
        raise ConfigError(path, "the file is too large", found=found, expected=f"at most {limit}", fix="check the path")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found, line = f"byte 0x{error.object[error.start]:02x}", content[: error.start].count(b"\n") + 1
        fix = "save it as UTF-8, or give the file that was meant"
        raise ConfigError(path, "the file is no UTF-8 text", found=found, line=line, fix=fix) from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
