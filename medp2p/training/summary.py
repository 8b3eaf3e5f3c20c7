"""The scores of a validation as people read them at the end of a training."""

from collections.abc import Callable, Mapping

_SHOWN = ("mae", "psnr", "ssim")


def summary_lines(scores: Mapping[str, float | None], unit_of: Callable[[str], str]) -> list[str]:
    """The scores of a validation as a small table, a line for each region that has any.

    Examples:
        >>> found = {"body_mae": 51.25, "body_psnr": 30.5, "body_ssim": 0.9, "body_ms_ssim": None}
        >>> for line in summary_lines(found, {"mae": "HU", "psnr": "dB", "ssim": ""}.get):
        ...     print(line)
        validation region      mae (HU)    psnr (dB)         ssim
        body                      51.25         30.5          0.9
    """
    regions = [
        name.removesuffix("_mae") for name, value in scores.items() if name.endswith("_mae") and value is not None
    ]
    if not regions:
        return []
    heads = [f"{metric} ({unit})" if (unit := unit_of(metric)) else metric for metric in _SHOWN]
    table = [f"{'validation region':18}" + "".join(f"{head:>13}" for head in heads)]
    for region in regions:
        values = [scores.get(f"{region}_{metric}") for metric in _SHOWN]
        table.append(f"{region:18.18}" + "".join(f"{'-' if v is None else f'{v:.4g}':>13}" for v in values))
    return table
