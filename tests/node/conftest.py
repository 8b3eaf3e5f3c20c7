"""A small model with random weights, and a small MR series."""

from pathlib import Path

import pytest

from tests.io import dicom_phantom as phantom
from tests.translation.conftest import description, save


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(tmp_path, description())


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return phantom.write(tmp_path / "scan", modality="MR", values=phantom.voxels((20, 18, 6), "MR"))
