"""Files that are damaged at random, from a seed: each is read, or refused by us in one line; never anything else.

`python -m tests.fuzz` (`make fuzz`) tries 10,000; the suite tries a few hundred of the same.
"""

import argparse
import bz2
import gzip
import json
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from PIL import Image

import medp2p
from medp2p.config import shipped
from medp2p.errors import Medp2pError
from medp2p.io import read_label_table, read_volume
from medp2p.training.checkpoint import Progressed, load_checkpoint, save_checkpoint
from tests.io import dicom_phantom
from tests.translation.conftest import description, save

LONGEST_S = 20
LARGEST_BYTES = 1_500_000_000
WORDS = (
    b"0", b"-1", b"nan", b"inf", b"1e400", b"99999999999999999999", b"\x00", b"\xff\xff\xff\x7f", b"{", b"[", b"\n",
    b"\r\n", b":", b" ", b"&a", b"*a", b"<<", b"!!python/object:os.system", b"'", b"\t", b"../", b"/etc/passwd",
    b"LIST", b"true", b"\xed\xa0\x80", b"\\ud800", b"1_0", b"0x1F", b"---\n", b"%",
)  # fmt: skip
SHAPE, AFFINE = (9, 8, 7), np.diag([-1.0, 1.5, 3.0, 1.0])


def _nifti(kind: type[nib.Nifti1Image], dtype: str) -> bytes:
    image = kind(np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype), AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(AFFINE, 1)
    return bytes(image.to_bytes())


def _metaimage(*, packed: bool) -> bytes:
    voxels = np.arange(np.prod(SHAPE), dtype="<i2").tobytes()
    data = zlib.compress(voxels) if packed else voxels
    return (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = {packed}\n"
        f"CompressedDataSize = {len(data)}\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 1 2 3\n"
        f"ElementSpacing = 1 1 2\nDimSize = 9 8 7\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    ).encode() + data


def _nrrd(encoding: str, pack: Callable[[bytes], bytes]) -> bytes:
    return (
        "NRRD0005\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 9 8 7\nendian: little\n"
        f"space directions: (1,0,0) (0,1,0) (0,0,2)\nspace origin: (1,2,3)\nencoding: {encoding}\n\n"
    ).encode() + pack(np.arange(np.prod(SHAPE), dtype="<i2").tobytes())


def _picture(kind: str) -> bytes:
    grey = Image.fromarray((np.arange(30 * 40).reshape(30, 40) % 251).astype(np.uint8))
    content = BytesIO()
    grey.save(content, kind)
    return content.getvalue()


def _slice(folder: Path) -> bytes:
    return (dicom_phantom.write(folder / "series", keep=lambda index: index == 2) / "IM0004").read_bytes()


def seeds(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], object]]]:
    """Sound files by the name that they are tried under, and what reads them."""
    model = save(folder, description()).read_bytes()
    save_checkpoint(folder / "last.pt", {"generator": {"w": torch.arange(50.0)}}, Progressed())
    table = json.dumps({"labels": {"background": 0, "brain": 1, "bone": [1, 2]}}).encode()
    return {
        "a.nii": (_nifti(nib.Nifti1Image, "i2"), read_volume),
        "b.nii": (_nifti(nib.Nifti2Image, "f4"), read_volume),
        "c.nii.gz": (gzip.compress(_nifti(nib.Nifti1Image, "f8"), mtime=0), read_volume),
        "d.mha": (_metaimage(packed=False), read_volume),
        "e.mha": (_metaimage(packed=True), read_volume),
        "f.nrrd": (_nrrd("raw", bytes), read_volume),
        "g.nrrd": (_nrrd("gzip", gzip.compress), read_volume),
        "h.nrrd": (_nrrd("bzip2", bz2.compress), read_volume),
        "i.dcm": (_slice(folder), read_volume),
        "j.png": (_picture("PNG"), read_volume),
        "k.tif": (_picture("TIFF"), read_volume),
        "l.jpg": (_picture("JPEG"), read_volume),
        "run.yaml": (shipped("mr2ct").encode(), medp2p.check),
        "labels.yaml": (b"1: brain\n2: bone\nlesion: [4, 5]\ngroups: {head: [brain, bone]}\n", read_label_table),
        "labels.json": (table, read_label_table),
        "labels.csv": (b"LabelValue,Name,R\n1,brain,0\n2,bone,0\n", read_label_table),
        "generator.safetensors": (model, medp2p.check),
        "last.pt": ((folder / "last.pt").read_bytes(), load_checkpoint),
    }


def damaged(content: bytes, draw: random.Random) -> bytes:
    """The content with one to three scratches, most of them where headers are."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        reach = len(changed) if draw.random() < 0.3 else min(len(changed), 600)
        place, kind = draw.randrange(reach + 1), draw.randrange(7)
        if kind == 0:
            changed[place:place] = draw.choice(WORDS)
        elif kind == 1:
            word = draw.choice(WORDS)
            changed[place : place + len(word)] = word
        elif kind == 2 and place < len(changed):
            changed[place] ^= 1 << draw.randrange(8)
        elif kind == 3:
            del changed[place : place + draw.choice((1, 2, 8, 100))]
        elif kind == 4:
            changed[place:place] = changed[max(0, place - draw.choice((1, 16, 200))) : place]
        elif kind == 5:
            changed[place : place + 8] = struct.pack("<d", draw.choice((0.0, -1.0, 1e308, float("nan"), float("inf"))))
        elif draw.random() < 0.2:
            del changed[place:]
    return bytes(changed)


def outcome(number: int, folder: Path, sound: dict[str, tuple[bytes, Callable[[Path], object]]]) -> str:
    """`name: read`, `name: refused`, or what went wrong with the file of that number."""
    draw = random.Random(number)
    name = list(sound)[number % len(sound)]
    content, read = sound[name]
    path = folder / name
    path.write_bytes(damaged(content, draw))
    try:
        found = read(path)
    except Medp2pError as error:
        memory = error.exit_code != 2 and "memory" in str(error)
        told = all(fault.path or fault.key for fault in error.faults) and "Fix: " in str(error)
        return f"{name}: memory" if memory else f"{name}: refused" if told else f"{name}: not told: {error}"
    except MemoryError:
        return f"{name}: memory"
    except Exception as error:
        return f"{name}: {type(error).__name__}: {error}"
    return f"{name}: refused" if read is medp2p.check and found else f"{name}: read"


def _in_a_process(numbers: range, folder: Path, done: Path) -> int:
    """Tries files in a child that may take so much time a file, and so much memory; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + LARGEST_BYTES, used + LARGEST_BYTES))
    warnings.simplefilter("error")
    sound = seeds(folder)
    with done.open("a") as log:
        for number in numbers:
            signal.setitimer(signal.ITIMER_PROF, LONGEST_S)  # of computing, whatever else the machine does
            log.write(f"{number} {outcome(number, folder, sound)!r}\n")
            log.flush()
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first, to try one again")
    options = parser.parse_args()
    last, ends = options.first + options.files, Counter[str]()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        done, number = Path(place) / "done.txt", options.first
        while number < last:
            code = _in_a_process(range(number, last), Path(place), done)
            number = int(done.read_text().splitlines()[-1].split()[0]) + 1 if done.exists() else options.first
            if code:  # the file after the last that was done killed it
                ends["hang" if code == -signal.SIGPROF else f"ended with {code}"] += 1
                print(f"{number}: {'longer than 20 s' if code == -signal.SIGPROF else code}", flush=True)
                number += 1
                with done.open("a") as log:
                    log.write(f"{number - 1} 'killed'\n")
        for line in done.read_text().splitlines():
            end = line.partition(" ")[2][1:-1]
            word = end.partition(": ")[2]
            ends[word if word in ("read", "refused", "memory") else "other"] += end != "killed"
            if word not in ("read", "refused") and end != "killed":
                print(line, flush=True)
    print(
        f"files {options.files}: read {ends['read']}, refused {ends['refused']}, tracebacks {ends['other']}, "
        f"longer than {LONGEST_S} s {ends['hang']}, above 1.5 GB {ends['memory']}, killed "
        f"{sum(count for end, count in ends.items() if end.startswith('ended'))}; {time.monotonic() - began:.0f} s"
    )
    sys.exit(ends["read"] + ends["refused"] != options.files)


if __name__ == "__main__":
    main()
