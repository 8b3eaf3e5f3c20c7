"""Finished series to another DICOM application by C-STORE; sent twice they are the same instances."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pynetdicom import AE, build_context
from pynetdicom.association import Association

from medp2p.io.dicom_elements import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from medp2p.node.connections import end_connections
from medp2p.node.peer import Peer

logger = logging.getLogger(__name__)

WRITTEN = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4")
"""CT and MR Image Storage: what derived series are."""
CONNECT_S, ANSWER_S = 10, 60
_OUT_OF_RESOURCES = range(0xA700, 0xA800)


class UnreachableError(Exception):
    """Nobody answered, or not now: worth another try."""


class RefusedError(Exception):
    """Whoever answered does not want this series."""


def send(folders: Sequence[Path], peer: Peer, *, title: str) -> int:
    """Send every file of some derived series.

    Args:
        folders: Of files that this package wrote.
        peer: Whom to send to.
        title: What we call ourselves.

    Returns:
        How many images arrived.

    Raises:
        UnreachableError: Try again later.
        RefusedError: Trying again changes nothing.
    """
    files = [file for folder in folders for file in sorted(folder.glob("*.dcm"))]
    with _associated(peer, title) as association:
        for file in files:
            _send_one(association, file)
    return len(files)


@contextmanager
def _associated(peer: Peer, title: str) -> Iterator[Association]:
    entity = AE(title)
    entity.connection_timeout = entity.acse_timeout = CONNECT_S
    entity.dimse_timeout = entity.network_timeout = ANSWER_S
    syntaxes = [EXPLICIT_LITTLE, IMPLICIT_LITTLE]
    contexts = [build_context(kind, syntaxes) for kind in WRITTEN]
    association: Association | None = None
    try:
        association = entity.associate(peer.host, peer.port, contexts, ae_title=peer.title)
        if not association.is_established:
            why = "does not take our calls" if association.is_rejected else "cannot be reached"
            raise UnreachableError(f"{peer.title} {why}")
        yield association
        association.release()
    finally:
        if association and association.is_established:
            association.abort()
        end_connections(entity)


def _send_one(association: Association, file: Path) -> None:
    try:
        status = association.send_c_store(file)
    except ValueError:  # no presentation context was accepted for it
        raise RefusedError("the receiver takes no images of this kind") from None
    except RuntimeError:  # the association is over
        raise UnreachableError("the connection broke off") from None
    if "Status" not in status:
        raise UnreachableError("the receiver gave no answer")
    code = int(status.Status)
    if code in _OUT_OF_RESOURCES:
        raise UnreachableError(f"the receiver is out of resources (status {code:04X})")
    if code and not 0xB000 <= code <= 0xBFFF:
        raise RefusedError(f"the receiver refused an image (status {code:04X})")
