"""Two folders change places in one step, where the system can: at no moment is neither under the name."""

import ctypes
import os
import sys
from pathlib import Path

_HERE = -100  # AT_FDCWD of Linux: paths are relative to the current folder
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def exchanged(first: Path, second: Path) -> bool:
    """Let two paths of one file system change places.

    Returns:
        Whether it was done; False where the system or the file system cannot.

    Source:
        renameat2(2) of Linux, renamex_np(2) of macOS.

    Examples:
        >>> exchanged(Path("/no/such/folder"), Path("/nor/such"))
        False
    """
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return bool(library.renamex_np(os.fsencode(first), os.fsencode(second), _EXCHANGE) == 0)
        return bool(library.renameat2(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0)
    except (OSError, AttributeError, TypeError):
        return False
