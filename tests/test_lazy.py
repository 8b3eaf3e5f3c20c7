"""What is light stays light: importing medp2p and asking for help load no large library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "monai", "SimpleITK", "pydantic", "scipy", "skimage", "matplotlib", "lightning")


def loaded_after(code: str, *libraries: str) -> list[str]:
    """Which of the libraries Python has loaded once it ran `code`."""
    telling = f"import sys\n{code}\nprint('loaded', *[name for name in {libraries!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", telling], capture_output=True, text=True, check=True)
    return result.stdout.splitlines()[-1].split()[1:]


def test_importing_medp2p_loads_nothing_heavy() -> None:
    assert loaded_after("import medp2p", *HEAVY) == []


def test_every_name_of_the_face_is_there() -> None:
    code = "import medp2p\nassert [name for name in medp2p.__all__ if not hasattr(medp2p, name)] == []"
    assert loaded_after(code) == []


@pytest.mark.parametrize("words", [[], ["train"], ["translate"], ["evaluate"], ["phantom"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = f"""
from medp2p.cli import main
try:
    main([*{words!r}, "--help"])
except SystemExit:
    pass
"""
    assert loaded_after(code, *HEAVY) == []


def test_help_takes_less_than_300_ms() -> None:
    def seconds() -> float:
        before = os.times()
        subprocess.run([Path(sys.executable).with_name("medp2p"), "--help"], capture_output=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds() for _ in range(7)) < 0.3  # of the processor, since others may keep it busy


def test_translating_imports_neither_monai_nor_matplotlib(heads: Path, tmp_path: Path) -> None:
    settings = ["data.sources=[mr]", "data.target=ct", "generator.kind=unet_128", "generator.channels=2"]
    code = f"""
import torch
import medp2p
from medp2p.translation import import_weights

network = medp2p.networks.build_generator(
    "unet_128", in_channels=1, out_channels=1, channels=2, norm="batch", dropout=True
)
torch.save(medp2p.networks.reference_state_dict(network), {str(tmp_path / "net.pth")!r})
import_weights({str(tmp_path / "net.pth")!r}, {str(tmp_path / "run")!r}, set={settings!r})
medp2p.translate({str(tmp_path / "run")!r}, {str(heads / "head_001" / "mr.nii.gz")!r}, {str(tmp_path / "ct.nii.gz")!r})
"""
    assert loaded_after(code, "monai", "matplotlib", "lightning_fabric", "skimage") == []
    assert (tmp_path / "ct.nii.gz").exists()
