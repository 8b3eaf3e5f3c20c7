"""How the C library keeps the memory that networks give back between two layers."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # of mallopt(3)
_MOST = 2**31 - 1


def hold_freed_memory() -> bool:
    """Lets this process keep freed memory for its next request, instead of giving it back to the system each time.

    Activations are tens of megabytes; glibc asks the system for each anew, and the system hands it out page by page,
    filled with zeros. It holds for the rest of the process, so a program calls it and a library never does.

    Returns:
        Whether the C library could be told; only glibc can.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    settings = ((_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, _MOST), (_MMAP_MAX, 0))
    return all(mallopt(name, value) == 1 for name, value in settings)
