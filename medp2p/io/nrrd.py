"""NRRD (.nrrd, and .nhdr with its data file) to Volume and back."""

import bz2
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError
from medp2p.io.atomic import atomic_file
from medp2p.io.exact import ExactReader, reading, refuse_bomb
from medp2p.io.gzip_stream import packing
from medp2p.io.machine import naming
from medp2p.io.nrrd_header import TYPES, NrrdHeader, nrrd_directions, read_header
from medp2p.io.scaling import scaled
from medp2p.io.text_header import BYTES_OF_NAMES, data_file, in_order, read_raw, voxel_count, write_pair
from medp2p.io.voxel_bytes import fortran_chunks, refuse_shear, storable
from medp2p.volume import Volume

PathLike = str | os.PathLike[str]
_NAMES = {np.dtype(dtype): name for name, dtype in reversed(TYPES.items())}


def read_nrrd(path: PathLike) -> Volume:
    """One volume of a NRRD file, whichever of LPS, RAS and LAS it is written in.

    Raises:
        FileError: The file is cut, damaged, longer than it says, names data elsewhere, or is not one scalar volume.
        GeometryError: It does not say how and where the image lies.
    """
    with naming(path):
        header, raw = read_layers(path)
        if header.layers != 1:
            raise FileError(
                path,
                "more than one volume: this may be a segmentation with layers",
                found=f"{header.layers} layers",
                expected="one scan",
                fix="give it as regions, or extract the layer you mean",
            )
        return Volume(scaled(path, raw[0], 1.0, 0.0), header.affine)


def read_layers(path: PathLike) -> tuple[NrrdHeader, NDArray[Any]]:
    """Header and stored numbers, shape (layers, X, Y, Z).

    Raises:
        FileError: As `read_nrrd`.
        GeometryError: As `read_nrrd`.
    """
    with naming(path), reading(path) as reader:
        header = read_header(reader)
        if header.data_file is None:
            return header, _voxels(reader, header, header.end)
        with reading(data_file(path, header.data_file), packed=header.encoding == "gzip") as data:
            return header, _voxels(data, header, 0)


def write_nrrd(volume: Volume, path: PathLike, *, overwrite: bool = False) -> None:
    """Write .nrrd, or .nhdr with a .raw.gz beside it, in LPS; the voxels are compressed.

    Raises:
        OutputExistsError: A file is there and `overwrite` is not given.
        FileError: It cannot be written.
        GeometryError: The grid is sheared.
    """
    refuse_shear(volume, path)
    voxels = storable(volume)
    target = Path(path)
    if target.suffix.lower() == ".nrrd":
        with atomic_file(path, overwrite=overwrite) as file:
            file.write(_header(volume, voxels, None))
            with packing(file) as stream:
                stream.writelines(fortran_chunks(voxels))
        return
    data = target.with_suffix(".raw.gz")
    head = _header(volume, voxels, data.name)
    write_pair(path, head, data, fortran_chunks(voxels), overwrite=overwrite, pack=packing)


def _voxels(reader: ExactReader, header: NrrdHeader, begin: int) -> NDArray[Any]:
    shape = (header.layers, *header.shape)
    count = voxel_count(shape) * header.dtype.itemsize
    if header.skip != 0 and header.encoding != "raw":
        raise FileError(reader.path, "byte skip in compressed data", fix="save the image again")
    if reader.packed:
        return read_raw(reader, header.dtype, shape)
    begin = reader.size - count if header.skip == -1 else begin + header.skip
    reader.seek(max(begin, 0))
    if header.encoding == "gzip":
        return read_raw(reader.unpacked(), header.dtype, shape)
    if header.encoding == "bzip2":
        return _bzip2(reader, header, count)
    return read_raw(reader, header.dtype, shape)


def _bzip2(reader: ExactReader, header: NrrdHeader, count: int) -> NDArray[Any]:
    packed = reader.take(reader.size - reader.position, "voxels")
    refuse_bomb(reader.path, len(packed), count)
    stream = bz2.BZ2Decompressor()
    try:
        content = stream.decompress(packed, count + 1)
    except (OSError, ValueError):
        content = b""
    if len(content) != count or not stream.eof or stream.unused_data:
        raise FileError(
            reader.path, "the compressed voxels are damaged, cut, or not as many as the header says",
            found=f"{len(content)} bytes", expected=f"{count} bytes", fix="copy or download the file again",
        )  # fmt: skip
    return in_order(np.frombuffer(content, header.dtype), (header.layers, *header.shape))


def _header(volume: Volume, voxels: NDArray[Any], data: str | None) -> bytes:
    directions, origin = nrrd_directions(volume.affine)
    lines = [
        "NRRD0005",
        f"type: {_NAMES[voxels.dtype.newbyteorder('=')]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, voxels.shape))}",
        f"space directions: {directions}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {origin}",
        *([f"data file: {data}"] if data else []),
    ]
    return "\n".join([*lines, "", ""]).encode("utf-8", BYTES_OF_NAMES)
