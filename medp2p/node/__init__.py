"""A DICOM node: receives series, translates them, sends the derived series on; nothing is lost when it is killed.

Must be used only where a node was asked for: it opens a port, and needs the extra `node` (pynetdicom).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from medp2p.node.limits import Limits
from medp2p.node.peer import Peer

if TYPE_CHECKING:
    from medp2p.node.serving import serve

__all__ = ["Limits", "Peer", "serve"]


def __getattr__(name: str) -> Any:
    if name != "serve":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.serving").serve
