"""The scores that MONAI's own metrics give a whole image; the only file of the room that imports torch and monai."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.evaluation.measured import Measured

Array = NDArray[Any]


def whole_image(predicted: Array, reference: Array, data_range: float, voxels: int) -> Measured:
    """MAE, ME, PSNR, SSIM and MS-SSIM of MONAI over every voxel, with the data range given and all else its default.

    Args:
        predicted: Shape (X, Y, Z).
        reference: The same shape.
        data_range: `max_val` of PSNRMetric and `data_range` of the SSIMs.
        voxels: Number of voxels, which goes into the result.
    """
    import torch
    from monai.metrics.regression import MAEMetric, MultiScaleSSIMMetric, PSNRMetric, SSIMMetric

    given, wanted = (torch.from_numpy(a.astype(np.float64))[None, None] for a in (predicted, reference))
    same = bool(torch.equal(given, wanted))
    values = {
        "mae": _number(MAEMetric()(given, wanted)),
        "me": float((given - wanted).mean()),
        "psnr": float("inf") if same else _number(PSNRMetric(data_range)(given, wanted)),
    }
    reasons = {}
    for metric, kind in (("ssim", SSIMMetric), ("ms_ssim", MultiScaleSSIMMetric)):
        smallest = 11 if metric == "ssim" else 176
        if min(predicted.shape) < smallest:
            reasons[metric] = f"MONAI's {metric} needs {smallest} voxels along each axis, found {min(predicted.shape)}"
        else:
            values[metric] = _number(kind(spatial_dims=3, data_range=data_range)(given, wanted))
    return Measured(voxels, values, reasons)


def _number(answer: Any) -> float:
    """The one number in MONAI's answer for a batch of one."""
    return float(answer.item())
