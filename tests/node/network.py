"""The other ends of a node: a scanner that sends, an archive that takes, and the node itself in a thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import pydicom
from pynetdicom import AE, AllStoragePresentationContexts, build_context, evt

from medp2p.node import Limits, serve

VERIFICATION = "1.2.840.10008.1.1"
QUICK = Limits(settle_s=0.1, free_bytes=0, retry_s=(0.2, 0.5))


def wait_for(what: Callable[[], object], seconds: float = 180.0) -> object:
    """What a call gives, once it gives anything."""
    until = monotonic() + seconds
    while monotonic() < until:
        if found := what():
            return found
        sleep(0.05)
    raise TimeoutError("it did not happen")


def associated(port: int, files: list[Path], *, title: str = "SCANNER") -> object:
    """An association that offers what the files are; established or not."""
    entity = AE(title)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    kinds = {(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in map(_header, files)}
    contexts = [build_context(VERIFICATION), *(build_context(*kind) for kind in sorted(kinds))]
    return entity.associate("127.0.0.1", port, contexts, ae_title="MEDP2P")


def _header(file: Path) -> pydicom.Dataset:
    return pydicom.dcmread(file, stop_before_pixels=True)


def send(port: int, folder: Path, *, title: str = "SCANNER", release: bool = True) -> list[int]:
    """The statuses that a node gives for the files of a folder."""
    files = sorted(folder.iterdir())
    association = associated(port, files, title=title)
    assert association.is_established
    statuses = [int(association.send_c_store(file).get("Status", -1)) for file in files]
    if release:
        association.release()
    else:
        association.abort()
    return statuses


@dataclass
class Archive:
    """An application that takes whatever comes, or answers with the statuses that it is given first."""

    port: int = 0
    images: dict[str, bytes] = field(default_factory=dict)
    callers: set[str] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)

    def save(self, folder: Path) -> Path:
        folder.mkdir()
        for number, content in enumerate(self.images.values()):
            (folder / f"{number:04d}.dcm").write_bytes(content)
        return folder

    def _store(self, event: evt.Event) -> int:
        status = self.statuses.pop(0) if self.statuses else 0
        if not status:
            self.images[str(event.request.AffectedSOPInstanceUID)] = event.encoded_dataset()
            self.callers.add(str(event.assoc.requestor.ae_title))
        return status


@contextmanager
def archive(port: int = 0) -> Iterator[Archive]:
    made, entity = Archive(), AE("ARCHIVE")
    entity.supported_contexts = AllStoragePresentationContexts
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, made._store)])
    made.port = server.server_address[1]
    try:
        yield made
    finally:
        entity.shutdown()


@dataclass
class Node:
    """A node that is at work."""

    port: int
    spool: Path
    sent: list[tuple[str, int]]

    def failed(self) -> list[str]:
        """The reasons of what was put aside."""
        return [path.read_text().strip() for path in sorted((self.spool / "failed").glob("*/reason.txt"))]

    def files(self, kind: str) -> list[Path]:
        return [path for path in (self.spool / kind).rglob("*") if path.is_file()]


@contextmanager
def node(model: Path, spool: Path, send_to: int, **options: object) -> Iterator[Node]:
    stop, ports, sent, errors = threading.Event(), [], [], []
    options = {"limits": QUICK, "device": "cpu"} | options

    def work() -> None:
        try:
            serve(
                model, port=0, send=f"ARCHIVE@127.0.0.1:{send_to}", spool=spool, stop=stop, listens=ports.append,
                sent=lambda *what: sent.append(what), **options,
            )  # fmt: skip
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_for(lambda: ports or errors)
        if errors:
            raise errors[0]
        yield Node(ports[0], spool, sent)
    finally:
        stop.set()
        thread.join(30)
    if errors:
        raise errors[0]
