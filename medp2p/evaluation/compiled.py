"""The maps of SSIM and MS-SSIM as machine code, for large scans and where the extra `fast` is installed.

The same numbers as `metrics` gives (one table of tests for both). numba makes the code once for a processor; it is kept
and run without numba, whose loading alone takes longer than the maps of most scans.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import llvmlite.binding as llvm
import numpy as np

from medp2p.errors import Medp2pError
from medp2p.evaluation.metrics import K1, K2, Array, Floats
from medp2p.evaluation.windows import CENTRE, WINDOW
from medp2p.io.atomic import write_bytes

_SUMS: Final = 5
"""As many as the kernel makes of each window."""
_SOURCES: Final = ("kernel.py", "metrics.py", "windows.py")
_DIGEST: Final = 32
"""Bytes of a SHA-256, before what it is of."""
_NUMBERS: Final = {"int32": ctypes.c_int32, "float64": ctypes.c_double}


def ssim_map(first: Array, second: Array, *, data_range: float) -> Floats:
    """As `metrics.ssim_map`."""
    return _mapped(first, second, data_range, whole=True)


def three_terms(first: Array, second: Array, *, data_range: float) -> Floats:
    """As `metrics.three_terms`."""
    return _mapped(first, second, data_range, whole=False)


def _mapped(first: Array, second: Array, data_range: float, *, whole: bool) -> Floats:
    kind = "float64" if first.dtype.kind == "f" else "int32"
    first, second = (np.ascontiguousarray(image, kind) for image in (first, second))
    length, rows, columns = first.shape
    sums = [np.empty((_SUMS, size), kind) for size in (rows * columns, columns, columns - WINDOW + 1)]
    out = np.empty((length - WINDOW + 1, rows - WINDOW + 1, columns - WINDOW + 1))
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    addresses = [array.ctypes.data for array in (first, second, *sums, out)]
    centre = CENTRE if kind == "int32" else 0
    _kernel(kind)(*addresses[:2], length, rows, columns, centre, c1, c2, whole, *addresses[2:])
    return out


@cache
def _kernel(kind: str) -> Callable[..., None]:
    """The kernel for images of a number type, which leaves Python's lock alone."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    names, code = _kept(kind) or _made(kind)
    for name in names[1:]:
        if not llvm.address_of_symbol(name):
            llvm.add_symbol(name, ctypes.cast(_never_called, ctypes.c_void_p).value)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _processor())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    number, length, address = _NUMBERS[kind], ctypes.c_int64, ctypes.c_void_p
    arguments: list[Any] = [
        *[address] * 2,
        *[length] * 3,
        number,
        *[ctypes.c_double] * 2,
        ctypes.c_bool,
        *[address] * 4,
    ]
    return ctypes.CFUNCTYPE(None, *arguments)(engine.get_function_address(names[0]))


_engines: list[Any] = []
"""Code lives as long as its engine."""
_never_called: Final = ctypes.CFUNCTYPE(None)(lambda: None)
"""Stands for what numba calls where a kernel raises, which this one does not."""


def _processor() -> Any:
    """What LLVM makes code for: the processor that it runs on."""
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(opt=3, cpu=llvm.get_host_cpu_name(), features=features, jit=True)


def _made(kind: str) -> tuple[list[str], bytes]:
    """The kernel made by numba, and kept where that can be done; as `_kept`."""
    from medp2p.evaluation.kernel import compiled_ir

    module = llvm.parse_assembly(compiled_ir(kind))
    names = [each.name for each in module.functions if each.name.startswith("cfunc.")]
    names += [each.name for each in module.functions if each.is_declaration and not each.name.startswith("llvm.")]
    content = " ".join(names).encode() + b"\n" + _processor().emit_object(module)
    for place in _places(kind):
        with suppress(Medp2pError, OSError):
            write_bytes(place, sha256(content).digest() + content)
            break
    return _parted(content)


def _kept(kind: str) -> tuple[list[str], bytes] | None:
    """The kernel's name and what numba's code would call, and the code; None where none is kept, or a damaged one."""
    for place in _places(kind):
        with suppress(OSError):
            stored = place.read_bytes()
            if sha256(stored[_DIGEST:]).digest() == stored[:_DIGEST]:
                return _parted(stored[_DIGEST:])
    return None


def _parted(content: bytes) -> tuple[list[str], bytes]:
    names, _, code = content.partition(b"\n")
    return names.decode().split(), code


def _places(kind: str) -> Iterator[Path]:
    """Where the code for this processor, these sources and this numba is kept: as Python keeps what it compiles."""
    here = Path(__file__).parent
    made_of = [version("numba"), version("llvmlite"), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    digest = sha256(repr(made_of).encode())
    for source in _SOURCES:
        digest.update((here / source).read_bytes())
    name = f"kernel-{kind}-{digest.hexdigest()[:16]}.bin"
    yield here / "__pycache__" / name
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medp2p"
    if cache.is_dir():
        yield cache / name
