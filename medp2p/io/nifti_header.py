"""The fields of NIfTI-1 and NIfTI-2 headers, and the affine that a quaternion stands for."""

import numpy as np
from numpy.typing import NDArray

Affine = NDArray[np.float64]

NIFTI1 = np.dtype(
    [
        ("sizeof_hdr", "<i4"), ("data_type", "S10"), ("db_name", "S18"), ("extents", "<i4"), ("session_error", "<i2"),
        ("regular", "S1"), ("dim_info", "u1"), ("dim", "<i2", 8), ("intent_p", "<f4", 3), ("intent_code", "<i2"),
        ("datatype", "<i2"), ("bitpix", "<i2"), ("slice_start", "<i2"), ("pixdim", "<f4", 8), ("vox_offset", "<f4"),
        ("scl_slope", "<f4"), ("scl_inter", "<f4"), ("slice_end", "<i2"), ("slice_code", "u1"), ("xyzt_units", "u1"),
        ("cal_max", "<f4"), ("cal_min", "<f4"), ("slice_duration", "<f4"), ("toffset", "<f4"), ("glmax", "<i4"),
        ("glmin", "<i4"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "<i2"), ("sform_code", "<i2"),
        ("quatern", "<f4", 3), ("qoffset", "<f4", 3), ("srow", "<f4", (3, 4)), ("intent_name", "S16"), ("magic", "S4"),
    ]
)  # fmt: skip
"""348 bytes. Source: https://nifti.nimh.nih.gov, nifti1.h."""

NIFTI2 = np.dtype(
    [
        ("sizeof_hdr", "<i4"), ("magic", "S8"), ("datatype", "<i2"), ("bitpix", "<i2"), ("dim", "<i8", 8),
        ("intent_p", "<f8", 3), ("pixdim", "<f8", 8), ("vox_offset", "<i8"), ("scl_slope", "<f8"), ("scl_inter", "<f8"),
        ("cal_max", "<f8"), ("cal_min", "<f8"), ("slice_duration", "<f8"), ("toffset", "<f8"), ("slice_start", "<i8"),
        ("slice_end", "<i8"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "<i4"), ("sform_code", "<i4"),
        ("quatern", "<f8", 3), ("qoffset", "<f8", 3), ("srow", "<f8", (3, 4)), ("slice_code", "<i4"),
        ("xyzt_units", "<i4"), ("intent_code", "<i4"), ("intent_name", "S16"), ("dim_info", "u1"), ("unused", "S15"),
    ]
)  # fmt: skip
"""540 bytes. Source: nifti2.h."""

NUMBER_TYPES: dict[int, str] = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
"""Code of the header -> one real number a voxel."""

OTHER_TYPES: dict[int, str] = {
    1: "binary (1 bit)", 32: "complex64", 128: "RGB colours", 1536: "float128", 1792: "complex128",
    2048: "complex256", 2304: "RGBA colours",
}  # fmt: skip

SPACE_UNITS = {0: "unknown", 1: "meter", 2: "mm", 3: "micron"}
TIME_UNITS = {0: "unknown", 8: "sec", 16: "msec", 24: "usec", 32: "hz", 40: "ppm", 48: "rads"}


def quaternion_affine(
    quaternion: NDArray[np.float64], offset: NDArray[np.float64], sizes: NDArray[np.float64], handedness: float
) -> Affine:
    """The 4 x 4 affine of a qform.

    Args:
        quaternion: b, c, d, of length 1 at most; a follows from them.
        offset: Where the first voxel lies.
        sizes: Voxel size along each axis.
        handedness: pixdim[0]; below 0 the third axis is turned round.

    Source:
        nifti1.h, method 2.

    Examples:
        >>> quaternion_affine(np.zeros(3), np.zeros(3), np.array([1.0, 1.0, 2.0]), -1.0).diagonal().tolist()
        [1.0, 1.0, -2.0, 1.0]
    """
    b, c, d = map(float, quaternion)
    a = max(0.0, 1.0 - (b * b + c * c + d * d)) ** 0.5
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * sizes * [1.0, 1.0, -1.0 if handedness < 0 else 1.0]
    affine[:3, 3] = offset
    return affine


def affine_quaternion(affine: Affine) -> tuple[NDArray[np.float64], float]:
    """The quaternion b, c, d of an affine at right angles, and its handedness (1 or -1).

    Examples:
        >>> quaternion, handedness = affine_quaternion(np.diag([-1.0, -1.0, 2.0, 1.0]))
        >>> quaternion.tolist(), handedness
        ([0.0, 0.0, 1.0], 1.0)
    """
    rotation = np.array(affine[:3, :3]) / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(rotation)
    rotation = left @ right
    handedness = 1.0 if np.linalg.det(rotation) > 0 else -1.0
    rotation[:, 2] *= handedness
    quaternion = _quaternion(rotation)
    return (quaternion if quaternion[0] >= 0 else -quaternion)[1:] + 0.0, handedness


def _quaternion(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """a, b, c, d of a rotation, from the largest of them (Shepperd's method)."""
    squares = np.array([r.trace(), r[0, 0], r[1, 1], r[2, 2]])
    products = np.array(
        [
            [1 + r.trace(), r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], 1 + 2 * r[0, 0] - r.trace(), r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [r[0, 2] - r[2, 0], r[0, 1] + r[1, 0], 1 + 2 * r[1, 1] - r.trace(), r[1, 2] + r[2, 1]],
            [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], 1 + 2 * r[2, 2] - r.trace()],
        ]
    )
    row = products[int(squares.argmax())]
    return np.asarray(row / np.linalg.norm(row), np.float64)
