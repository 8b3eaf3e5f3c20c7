"""What lies beside an exported network: all that a program needs to go from a scan to slices and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from medp2p.data.intensity import HIGH, LOW
from medp2p.networks.limits import size_multiple, smallest_size
from medp2p.translation.description import Description
from medp2p.translation.model_file import ModelHeader
from medp2p.translation.outputs import RESEARCH_USE

SIDECAR_VERSION = 1
_ROWS_AND_COLUMNS = {"axial": ("Y", "X", "Z"), "coronal": ("Z", "X", "Y"), "sagittal": ("Z", "Y", "X")}


def sidecar(
    header: ModelHeader,
    *,
    onnx_sha256: str,
    opset: int,
    largest: float,
    shapes: Sequence[Sequence[int]],
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """The sidecar of an exported model, ready for JSON.

    Args:
        header: What the model file says.
        onnx_sha256: Hash of the ONNX file.
        opset: Version of the operators in it.
        largest: Greatest difference between onnxruntime and the model, of values in [-1, 1].
        shapes: Of the inputs that were compared, (B, C, H, W).
        versions: Of the packages that made and compared it.
    """
    description = header.description
    return {
        "schema_version": SIDECAR_VERSION,
        "synthetic": True,
        "note": RESEARCH_USE,
        "onnx_sha256": onnx_sha256,
        "sha256": header.sha256,
        "description_sha256": header.description_sha256,
        "opset": opset,
        "input": _input(description),
        "output": _output(description),
        "slices": _slices(description),
        "intensity": {name: entry.model_dump(mode="json") for name, entry in description.intensity.items()},
        "intensity_forward": "window: low and high are the limits; percentile: those percentiles over all voxels of "
        "the scan, linear between neighbours, are the limits; value = clip(2 (x - lower) / (upper - lower) - 1, -1, 1)",
        "intensity_inverse": "x = (value + 1) / 2 (upper - lower) + lower; for a percentile target lower and upper are "
        "its limits given here; HU are rounded and clipped to the window",
        "compared_with_model": {
            "largest_difference": largest,
            "largest_difference_in_unit": {
                name: largest * _half_width(description, name) for name in description.targets
            },
            "unit": {name: _unit(description, name) for name in description.targets},
            "shapes": [list(shape) for shape in shapes],
            "precision": "fp32",
        },
        "versions": dict(versions),
    }


def _input(description: Description) -> dict[str, Any]:
    context = description.preparation.context_slices
    kind = description.generator.kind
    return {
        "name": "source",
        "type": "float32",
        "axes": ["batch", "channel", "row", "column"],
        "channels": [
            {"source": name, "slice": offset} for name in description.sources for offset in range(-context, context + 1)
        ],
        "size_multiple": size_multiple(kind),
        "smallest_size": smallest_size(kind),
        "padding": "rows and columns are padded on all sides with -1 to such a size, the odd one at the end, and cut "
        "off again; a neighbour beyond the first or last slice is that slice",
        "range": [LOW, HIGH],
    }


def _output(description: Description) -> dict[str, Any]:
    return {
        "name": "predicted",
        "type": "float32",
        "axes": ["batch", "channel", "row", "column"],
        "channels": list(description.targets),
        "range": [LOW, HIGH],
    }


def _slices(description: Description) -> dict[str, Any]:
    """How a volume becomes slices; as in `medp2p.data.geometry.PlaneGrid`."""
    preparation = description.preparation
    rows, columns, normal = _ROWS_AND_COLUMNS[preparation.plane]
    return {
        "orientation": "RAS+: X to the right, Y to anterior, Z to superior",
        "plane": preparation.plane,
        "rows_along": rows,
        "columns_along": columns,
        "slices_along": normal,
        "spacing_mm": None if preparation.spacing_mm is None else list(preparation.spacing_mm),
        "spacing_order": "from row to row, then from column to column; null keeps the scan's own",
        "resampling": "linear in plane, the centres of the two extents aligned, edges clamped",
        "context_slices": preparation.context_slices,
    }


def _half_width(description: Description, target: str) -> float:
    entry = description.intensity[target]
    low, high = entry.limits or (entry.low, entry.high)
    return (high - low) / 2


def _unit(description: Description, target: str) -> str:
    return "HU" if description.intensity[target].hu else "arbitrary"
