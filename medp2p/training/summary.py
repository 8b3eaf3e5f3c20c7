"""The scores of a validation as people read them at the end of a training."""

from collections.abc import Callable, Mapping

from medp2p.evaluation.score_table import SHOWN, region_table


def summary_lines(scores: Mapping[str, float | None], unit_of: Callable[[str], str]) -> list[str]:
    """The scores of a validation as a small table, a line for each region that has any.

    Examples:
        >>> found = {"body_mae": 51.25, "body_psnr": 30.5, "body_ssim": 0.9, "body_ms_ssim": None}
        >>> for line in summary_lines(found, {"mae": "HU", "psnr": "dB", "ssim": ""}.get):
        ...     print(line)
        validation region     mae (HU)    psnr (dB)         ssim
        body                     51.25         30.5          0.9
    """
    regions = [
        name.removesuffix("_mae") for name, value in scores.items() if name.endswith("_mae") and value is not None
    ]
    if not regions:
        return []
    values = {region: {metric: scores.get(f"{region}_{metric}") for metric in SHOWN} for region in regions}
    cells = {
        region: {metric: "undefined" if value is None else f"{value:.4g}" for metric, value in row.items()}
        for region, row in values.items()
    }
    units = {metric: unit_of(metric) or "" for metric in SHOWN}
    return region_table(units, cells, more="validation/summary.csv", title="validation region")
