"""What comes in by C-STORE, and C-ECHO: a few associations at a time, every image checked before it is kept.

Must never write or log what a header says of a patient.
"""

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from pynetdicom import AE, build_context, evt

from medp2p.errors import ConfigError, Medp2pError, printable
from medp2p.io.dicom_elements import (
    COMPRESSED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Elements,
    read_dicom_header,
)
from medp2p.io.dicom_frames import CLASSIC, ENHANCED
from medp2p.io.machine import file_error
from medp2p.node.arrivals import Arrivals, Full
from medp2p.node.connections import end_connections
from medp2p.node.spool import Spool

logger = logging.getLogger(__name__)

SOP_CLASSES = tuple(uid for uid, modality in (CLASSIC | ENHANCED).items() if modality in ("CT", "MR"))
TRANSFER_SYNTAXES = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, *COMPRESSED)
_VERIFICATION = "1.2.840.10008.1.1"
_SUCCESS, _OUT_OF_RESOURCES, _MISMATCH, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000
_LARGEST_PDU = 1 << 18
_MOST_CALLERS = 4
"""At a time; with one, a sender that calls again at once would meet its last call, which is just ending."""
_SILENCE_S = 60
_STUDY, _SERIES, _INSTANCE = 0x0020000D, 0x0020000E, 0x00080018


@contextmanager
def listening(
    spool: Spool, arrivals: Arrivals, *, host: str, port: int, title: str, allow: Sequence[str] = ()
) -> Iterator[int]:
    """Take images while the context lasts.

    Args:
        spool: Names things, and knows the limits.
        arrivals: Keeps the images.
        host: Address to listen on.
        port: TCP port; 0 for a free one.
        title: What we call ourselves.
        allow: Application entity titles that may call; none means all.

    Yields:
        The port.

    Raises:
        ConfigError: The address cannot be used.
    """
    entity = AE(title)
    entity.maximum_associations = _MOST_CALLERS
    entity.maximum_pdu_size = _LARGEST_PDU // 2
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _SILENCE_S
    entity.require_calling_aet = list(allow)
    contexts = [build_context(_VERIFICATION), *(build_context(kind, list(TRANSFER_SYNTAXES)) for kind in SOP_CLASSES)]
    receiver = _Receiver(spool, arrivals)
    try:
        server = entity.start_server((host, port), block=False, contexts=contexts, evt_handlers=receiver.handlers())
    except OSError as error:
        raise ConfigError(None, "cannot listen here", key="--host/--port", found=f"{host}:{port}",
                          expected="an address of this machine, a port that is free",
                          fix=(error.strerror or "choose another").lower()) from None  # fmt: skip
    try:
        yield int(server.server_address[1]) if server else port
    finally:
        entity.shutdown()
        end_connections(entity)


class _Receiver:
    """The handlers of an association's events, which pynetdicom calls in threads of its own."""

    def __init__(self, spool: Spool, arrivals: Arrivals) -> None:
        self._spool = spool
        self._arrivals = arrivals
        self._of: dict[Any, _Sending] = {}

    def handlers(self) -> list[Any]:
        """What is to be called when."""
        return [
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_DIMSE_RECV, self._message_ended),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_RELEASED, self._released),
            (evt.EVT_ABORTED, self._ended),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]

    def _opened(self, event: Any) -> None:
        connection = event.assoc.dul.socket
        connection.socket.settimeout(_SILENCE_S)
        sending = _Sending(connection.socket, self._spool.limits.image_bytes + _LARGEST_PDU)
        connection.recv = sending.metered(connection.recv)
        self._of[event.assoc] = sending

    def _accepted(self, event: Any) -> None:
        logger.info("%s is calling", printable(str(event.assoc.requestor.ae_title)))

    def _message_ended(self, event: Any) -> None:
        if sending := self._of.get(event.assoc):
            sending.received = 0

    def _released(self, event: Any) -> None:
        self._end(event.assoc, released=True)

    def _ended(self, event: Any) -> None:
        self._end(event.assoc, released=False)

    def _closed(self, event: Any) -> None:
        self._end(event.assoc, released=False)
        if sending := self._of.pop(event.assoc, None):
            sending.connection.close()  # pynetdicom leaves it open where the peer was faster

    def _end(self, association: Any, *, released: bool) -> None:
        sending = self._of.get(association)
        if sending is None:
            return
        with sending.busy:  # an image may just be written
            if sending.over:
                return
            sending.over = True
            complete = released and not sending.refused
            self._arrivals.end(sending.series, complete=complete)
            if not complete and (sending.series or sending.refused):
                logger.warning("a sending %s", "ended with refused images" if released else "broke off")

    def _store(self, event: Any) -> int:
        """The status that the sender gets for one image."""
        sending = self._of.get(event.assoc)
        if sending is None:
            return _OUT_OF_RESOURCES
        with sending.busy:
            if sending.over:
                return _OUT_OF_RESOURCES
            try:
                status, why = self._kept(event, sending)
            except Exception as error:
                status, why = _OUT_OF_RESOURCES, type(error).__name__
                logger.debug("an image was not kept", exc_info=True)
            if status:
                sending.refused = True
                logger.warning("an image is refused with status %04X: %s", status, why)
            return status

    def _kept(self, event: Any, sending: "_Sending") -> tuple[int, str]:
        content: bytes = event.encoded_dataset()
        if len(content) > self._spool.limits.image_bytes:
            return _OUT_OF_RESOURCES, "it is too large"
        try:
            header = read_dicom_header("image", BytesIO(content), len(content))
        except Medp2pError as error:
            return _CANNOT_UNDERSTAND, error.faults[0].message
        if header is None or header.pixels is None:
            return _CANNOT_UNDERSTAND, "it is no image"
        words = [header.elements.word(tag) for tag in (_STUDY, _SERIES, _INSTANCE)]
        if not all(words):
            return _CANNOT_UNDERSTAND, "a UID of study, series or image is blank"
        if not _is_what_was_said(event, header.elements, header.sop_class):
            return _MISMATCH, "it is not what the message says"
        series, image = self._spool.name(*words[:2]), self._spool.name(words[2])
        if series not in sending.series:
            self._arrivals.begin(series)
            sending.series.add(series)
        try:
            self._arrivals.put(series, image, content)
        except Full as full:
            return _OUT_OF_RESOURCES, f"no more {full}"
        except OSError as error:
            known = error if isinstance(error, Medp2pError) else file_error("spool", error, doing="written")
            return _OUT_OF_RESOURCES, known.faults[0].message
        return _SUCCESS, ""


def _is_what_was_said(event: Any, elements: Elements, sop_class: str) -> bool:
    request = event.request
    said = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
    return said == (sop_class, elements.word(_INSTANCE)) and said[0] == str(event.context.abstract_syntax)


class _Sending:
    """One association: what it sent of, whether anything was refused, and how long its present message is."""

    def __init__(self, connection: socket.socket, most_bytes: int) -> None:
        self.connection = connection
        self.over = False
        self.series: set[str] = set()
        self.refused = False
        self.received = 0
        self.busy = threading.Lock()
        self._most_bytes = most_bytes

    def metered(self, receive: Any) -> Any:
        """The same reading from the network, ended where a message would fill the memory.

        pynetdicom reads as many bytes as a peer says there are, and keeps a message until its end.
        """

        def bounded(count: int) -> bytearray:
            self.received += count
            if count > _LARGEST_PDU or self.received > self._most_bytes:
                self.refused = True
                logger.warning("a message is too long: the association ends")
                raise OSError("message too long")
            received: bytearray = receive(count)
            return received

        return bounded
