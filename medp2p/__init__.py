"""One scan becomes another: MRI to CT, one MR contrast to another, learnt from paired scans.

Research use only. Importing it loads neither torch nor monai: what is heavy comes when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from medp2p._version import __version__
from medp2p.errors import (
    ConfigError,
    EmptyRegionError,
    Fault,
    FileError,
    GeometryError,
    Medp2pError,
    ModelError,
    OutputExistsError,
    RegionError,
    TrainingError,
)

if TYPE_CHECKING:
    from medp2p import evaluation, losses, networks, training
    from medp2p.checking import check
    from medp2p.data.layouts import list_cases
    from medp2p.data.phantom import write_phantoms as phantom
    from medp2p.evaluation import evaluate
    from medp2p.io import read_regions, read_volume, write_volume
    from medp2p.io.dicom_seg import write_segmentation
    from medp2p.io.dicom_write import write_series
    from medp2p.preparation import prepare
    from medp2p.regions import Regions
    from medp2p.training import Run, evaluate_run, train
    from medp2p.translation import Translator, limits_card, translate
    from medp2p.volume import Volume

__all__ = [
    "ConfigError",
    "EmptyRegionError",
    "Fault",
    "FileError",
    "GeometryError",
    "Medp2pError",
    "ModelError",
    "OutputExistsError",
    "RegionError",
    "Regions",
    "Run",
    "TrainingError",
    "Translator",
    "Volume",
    "__version__",
    "check",
    "evaluate",
    "evaluate_run",
    "evaluation",
    "limits_card",
    "list_cases",
    "losses",
    "networks",
    "phantom",
    "prepare",
    "read_regions",
    "read_volume",
    "train",
    "training",
    "translate",
    "write_segmentation",
    "write_series",
    "write_volume",
]

_HOMES = {
    "Regions": "regions",
    "Run": "training",
    "Translator": "translation",
    "Volume": "volume",
    "check": "checking",
    "evaluate": "evaluation",
    "evaluate_run": "training",
    "phantom": "data.phantom:write_phantoms",
    "limits_card": "translation",
    "list_cases": "data.layouts",
    "prepare": "preparation",
    "read_regions": "io",
    "read_volume": "io",
    "train": "training",
    "translate": "translation",
    "write_segmentation": "io.dicom_seg",
    "write_series": "io.dicom_write",
    "write_volume": "io",
}
_ROOMS = ("evaluation", "losses", "networks", "training")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name in _HOMES:
        home, _, called = _HOMES[name].partition(":")
        return getattr(import_module(f"{__name__}.{home}"), called or name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
