import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra `fast` is not installed")
from medp2p.evaluation import compiled, metrics

SCRIPT = """
import sys
import numpy as np
from medp2p.evaluation import compiled
for kind in (np.int32, np.float64):
    image = np.arange(1000, dtype=kind).reshape(10, 10, 10)
    print(float(compiled.ssim_map(image, image, data_range=999.0).min()), "numba" in sys.modules)
"""


def test_machine_code_that_is_kept_runs_without_numba():
    for kind in ("int32", "float64"):
        compiled._kernel(kind)
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1.0", "False"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_damaged_machine_code_is_made_anew_and_kept(tmp_path, monkeypatch, damage):
    place = tmp_path / "kernel.bin"
    place.write_bytes(damage)
    monkeypatch.setattr(compiled, "_places", lambda kind: iter([place]))
    assert compiled._kept("int32") is None
    names, code = compiled._made("int32")
    assert compiled._kept("int32") == (names, code)
    assert names[0].startswith("cfunc.")


def test_where_nothing_can_be_kept_the_code_serves_this_process(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "_places", lambda kind: iter([tmp_path / "absent" / "kernel.bin"]))
    kernel = compiled._kernel.__wrapped__("int32")
    monkeypatch.setattr(compiled, "_kernel", lambda kind: kernel)
    image = np.random.default_rng(0).integers(0, 4096, (9, 10, 11)).astype(np.int32)
    found, wanted = (room.ssim_map(image, image[::-1].copy(), data_range=4095.0) for room in (compiled, metrics))
    assert np.abs(found - wanted).max() < 1e-12
