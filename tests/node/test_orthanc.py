"""With a real archive: stored in Orthanc, sent to the node, translated, sent back, fetched from Orthanc."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pytest

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")

from pynetdicom import AE, build_context, build_role, evt

from medp2p.io import read_volume
from medp2p.translation import translate
from tests.node.network import node, send, wait_for

ORTHANC = shutil.which("Orthanc") or shutil.which("orthanc")
CT, GET = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.3"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ORTHANC is None, reason="Orthanc is not installed"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Orthanc:
    """A running archive: its DICOM port, and its REST face on this machine."""

    def __init__(self, dicom: int, http: int) -> None:
        self.dicom = dicom
        self._url = f"http://127.0.0.1:{http}"

    def ask(self, path: str, body: object = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def is_up(self) -> bool:
        try:
            return bool(self.ask("/system"))
        except (urllib.error.URLError, OSError):
            return False

    def make_known(self, name: str, port: int) -> None:
        body = {"AET": "MEDP2P", "Host": "127.0.0.1", "Port": port}
        request = urllib.request.Request(f"{self._url}/modalities/{name}", json.dumps(body).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    def series(self) -> dict[str, dict]:
        found = [self.ask(f"/series/{one}") for one in self.ask("/series")]
        return {one["MainDicomTags"]["Modality"]: one for one in found}


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    folder.mkdir()
    dicom, http = free_ports(2)
    settings = {
        "Name": "test", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "DicomAet": "ARCHIVE", "DicomPort": dicom, "HttpPort": http, "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False, "DicomAlwaysAllowGet": True, "DicomAlwaysAllowStore": True,
        "DicomModalities": {}, "OrthancPeers": {}, "Plugins": [],
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    process = subprocess.Popen(
        [ORTHANC, folder / "orthanc.json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    try:
        made = Orthanc(dicom, http)
        wait_for(made.is_up)
        yield made
    finally:
        process.terminate()
        process.wait(30)


def fetch(archive: Orthanc, series_uid: str, study_uid: str, folder: Path) -> Path:
    """A series by C-GET, as any workstation would."""
    folder.mkdir()

    def keep(event: evt.Event) -> int:
        number = len(list(folder.iterdir()))
        (folder / f"{number:04d}.dcm").write_bytes(event.encoded_dataset())
        return 0

    entity = AE("STATION")
    contexts = [build_context(GET), build_context(CT, EXPLICIT_LITTLE)]
    association = entity.associate(
        "127.0.0.1", archive.dicom, contexts, ae_title="ARCHIVE",
        ext_neg=[build_role(CT, scu_role=True, scp_role=True)], evt_handlers=[(evt.EVT_C_STORE, keep)],
    )  # fmt: skip
    assert association.is_established
    wanted = pydicom.Dataset()
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID, wanted.SeriesInstanceUID = "SERIES", study_uid, series_uid
    statuses = [int(status.Status) for status, _ in association.send_c_get(wanted, GET)]
    association.release()
    assert statuses[-1] == 0
    return folder


def test_a_series_goes_through_the_archive_and_comes_back_as_a_synthetic_ct(model, series, tmp_path) -> None:
    source = pydicom.dcmread(next(series.iterdir()))
    with (
        orthanc(tmp_path / "orthanc") as archive,
        node(model, tmp_path / "spool", archive.dicom, keep_identity=True) as at_work,
    ):
        began = time.monotonic()
        assert send(archive.dicom, series) == [0] * 6
        archive.make_known("node", at_work.port)
        assert archive.ask("/modalities/node/echo", {}) == {}
        stored = archive.series()["MR"]
        archive.ask("/modalities/node/store", [stored["ID"]])
        wait_for(lambda: at_work.sent)
        made = archive.series()
        assert set(made) == {"MR", "CT"}
        assert made["CT"]["ParentStudy"] == made["MR"]["ParentStudy"]
        uid = made["CT"]["MainDicomTags"]["SeriesInstanceUID"]
        fetched = fetch(archive, uid, source.StudyInstanceUID, tmp_path / "fetched")
        assert time.monotonic() - began < 60
    translate(model, series, tmp_path / "alone.nii.gz", device="cpu")
    alone, arrived = read_volume(tmp_path / "alone.nii.gz"), read_volume(fetched)
    assert arrived.same_grid(alone)
    assert np.array_equal(arrived.voxels, alone.voxels)
    one = pydicom.dcmread(next(fetched.iterdir()))
    assert one.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert one.PatientID == source.PatientID
