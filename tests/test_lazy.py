"""What is light stays light: importing medp2p and asking for help load no large library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.translation.conftest import description, save

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


def test_the_last_collection_passes_over_what_is_loaded() -> None:
    code = """
import atexit, gc
atexit.register(lambda: print("passed over", gc.get_freeze_count() > 1000))
from medp2p.cli import main
main(["--version"])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "passed over True"


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


@pytest.fixture(scope="module")
def place(heads: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a scan, a case, a folder that is taken, and files that are none of these."""
    place = tmp_path_factory.mktemp("place")
    save(place, description())
    (place / "mr.nii.gz").write_bytes((heads / "head_001" / "mr.nii.gz").read_bytes())
    (place / "case").mkdir()
    (place / "case" / "mr.nii.gz").write_bytes((place / "mr.nii.gz").read_bytes())
    (place / "taken").mkdir()
    (place / "notes.txt").write_text("nothing")
    (place / "taken" / "notes.txt").write_text("nothing")
    (place / "run.yaml").write_text(f"data: {{sources: [mr], target: ct, folder: {heads}}}\n")
    return place


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("translate generator.safetensors -i nowhere.nii.gz -o x.nii.gz", "error: nowhere.nii.gz: no such file"),
        ("translate generator.safetensors -i notes.txt -o x.nii.gz", "error: notes.txt: no image format"),
        ("translate generator.safetensors -i mr=notes.txt -o x.nii.gz", "error: notes.txt: no image format"),
        ("translate generator.safetensors -i mr.nii.gz -o x.abc", "error: x.abc: -o: this is no image file"),
        ("translate generator.safetensors -i mr.nii.gz -o no/x.nii", "error: no/x.nii: cannot be written: its folder"),
        ("translate generator.safetensors -i mr.nii.gz -o mr.nii.gz", "error: mr.nii.gz: -o: the output is the input"),
        ("translate generator.safetensors -i mr.nii.gz -o case/mr.nii.gz", "error: case/mr.nii.gz: the file exists"),
        ("translate generator.safetensors -i case -o notes.txt", "error: notes.txt: this is a file, and a folder"),
        ("translate notes.txt -i mr.nii.gz -o x.nii.gz", "error: notes.txt: this is no model"),
        ("train run.yaml --run taken", "error: taken: the folder holds something that is no run"),
        ("evaluate -p nowhere -r mr.nii.gz -o x", "error: nowhere: -p: no such file"),
        ("evaluate -p mr.nii.gz -r mr.nii.gz -o taken", "error: taken: the folder is not empty"),
        ("evaluate --run nowhere -o x", "error: nowhere/config.yaml: there is no such file"),
        ("import nowhere.pth -o x --set data.sources=[mr] --set data.target=ct", "error: nowhere.pth: there is no"),
        ("export nowhere -o x.pth", "error: nowhere: no such run"),
        ("export generator.safetensors -o x.abc", "error: x.abc: -o: an extension that is no export"),
        ("compare nowhere taken -o x", "error: nowhere: no scores.json"),
    ],
)
def test_a_wrong_path_is_refused_before_anything_heavy_is_loaded(place: Path, words: str, said: str) -> None:
    code = f"""
import contextlib, io, os
from medp2p.cli import main
os.chdir({str(place)!r})
with contextlib.redirect_stderr(io.StringIO()) as err:
    assert main({words.split()!r}) == 2
(line,) = err.getvalue().splitlines()
assert line.startswith({said!r}), line
"""
    before = sorted(place.rglob("*"))
    assert loaded_after(code, "torch", "monai", "scipy", "skimage", "matplotlib", "lightning_fabric") == []
    assert sorted(place.rglob("*")) == before


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
