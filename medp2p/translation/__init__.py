"""From scan to scan: a trained generator as a function, and the files and folders it is let loose on.

Must never import monai: translating starts in a second without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medp2p.translation.limits import limits_card
    from medp2p.translation.tasks import Translated, translate
    from medp2p.translation.translator import Translator
    from medp2p.translation.weights import export_weights, import_weights

__all__ = ["Translated", "Translator", "export_weights", "import_weights", "limits_card", "translate"]

_HOMES = {
    "Translated": "tasks",
    "Translator": "translator",
    "export_weights": "weights",
    "import_weights": "weights",
    "limits_card": "limits",
    "translate": "tasks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
