"""A translation from file to file, imports and all: `medp2p translate` against `user_script.py`, same weights.

    python -m benchmarks.whole_process [--shape 256 256 180] [--repeats 3] [--clock wall] [--threads 0] [--keep]

Whole processes, one after the other in turns. Both start from the same scan in .nii.gz and write int16 .nii.gz.
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.processes import apart, whole
from benchmarks.tables import Table, parser_of, show
from benchmarks.turns import Options, Spread

WINDOW = {"kind": "window", "low": -1024, "high": 3071, "hu": True}


def write_inputs(folder: Path, shape: tuple[int, int, int]) -> None:
    """A scan, and one generator as the textbook's weights and as a model file of ours."""
    import torch

    from benchmarks.network import network
    from medp2p.config import config_from_mapping
    from medp2p.io import write_volume
    from medp2p.networks import reference_state_dict
    from medp2p.translation.described import describe
    from medp2p.translation.model_file import write_model
    from medp2p.volume import Volume

    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij", sparse=True)
    inside = np.sqrt(x**2 + y**2 + z**2) < 0.8
    noise = np.random.default_rng(0).integers(0, 40, shape)
    write_volume(Volume((400 * inside + noise).astype(np.int16), np.eye(4)), folder / "scan.nii.gz")
    data = {"sources": "mr", "target": "ct", "folder": str(folder)}
    config = config_from_mapping({"data": data, "intensity": {"ct": WINDOW}})
    write_model(folder / "generator.safetensors", network().state_dict(), describe(config, limits={}, precision="bf16"))
    torch.save(reference_state_dict(network()), folder / "reference.pth")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 180))
    given, options = Options.parsed(parser)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        apart(write_inputs, folder, tuple(given.shape))
        scan, model = str(folder / "scan.nii.gz"), str(folder / "generator.safetensors")
        ours = ["-m", "medp2p", "translate", model, "-i", scan, "--device", "cpu", "-q", "--overwrite"]
        script = ["-m", "benchmarks.user_script", str(folder / "reference.pth"), scan]
        arms = {"user's script": [*script, str(folder / "peer.nii.gz")]}
        for precision in ("fp32", "bf16"):
            arms[f"medp2p {precision}"] = [*ours, "-o", str(folder / f"{precision}.nii.gz"), "--precision", precision]
        runs = {name: [] for name in arms}
        for _ in range(options.repeats):
            for name, command in arms.items():
                runs[name].append(whole(command, options)[:2])
        rows = _rows(runs, folder)
    shape = " x ".join(map(str, given.shape))
    note = (
        f"{options.in_words()}. A scan of {shape} voxels. The user's script is the textbook's network in fp32, one "
        "slice at a time, with MONAI's transforms and nibabel."
    )
    columns = ["", "s", "× script", "peak MB", "HU from the script's file"]
    show("whole_process", [Table("medp2p translate SCAN.nii.gz -o PREDICTED.nii.gz", columns, rows, note)],
         keep=given.keep)  # fmt: skip


def _rows(runs: dict[str, list[tuple[float, float]]], folder: Path) -> list[list[str]]:
    import nibabel as nib

    peer, rows = Spread([seconds for seconds, _ in runs["user's script"]]), []
    reference = np.asanyarray(nib.load(folder / "peer.nii.gz").dataobj).astype(int)
    for name, found in runs.items():
        seconds, memory = Spread([each[0] for each in found]), max(each[1] for each in found)
        file = folder / f"{name.split()[-1]}.nii.gz"
        off = ""
        if file.exists():
            apart = np.abs(np.asanyarray(nib.load(file).dataobj).astype(int) - reference)
            off = f"{apart.mean():.2g}, at most {apart.max()}"
            said = json.loads(file.with_name(f"{name.split()[-1]}.json").read_text())
            assert said["precision"] == name.split()[-1]
        rows.append([name, str(seconds), "1" if not off else str(peer / seconds), f"{memory:.0f}", off])
    return rows


if __name__ == "__main__":
    main()
