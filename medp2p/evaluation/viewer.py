"""viewer.html: chosen cases to scroll through, one file that opens offline, by NiiVue out of the ipyniivue package.

Small 8-bit copies are shown, for looking and not for measuring. No script of others is part of this package.
"""

import gzip
import importlib.util
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError
from medp2p.evaluation.measured import merit
from medp2p.evaluation.pictures import DIFFERENCE_HU, SHOWN_HU
from medp2p.evaluation.report import render
from medp2p.evaluation.scores import NOTICE, Scores
from medp2p.percentiles import percentiles
from medp2p.volume import Volume

MOST_CASES: Final = 6
SPACING_MM: Final = 2.0
_MARK: Final = '"Creating new Niivue instance"'


def build_viewer(pairs: Sequence[tuple[str, Volume, Volume]], scores: Scores) -> str:
    """The viewer as HTML.

    Args:
        pairs: Case, predicted, reference; the first ones are taken.
        scores: For the protocol's scale.

    Raises:
        FileError: ipyniivue is not installed, or holds no NiiVue that is known.
    """
    hu = any(row["unit"] == "HU" for row in scores)
    shown = [{"case": case, "volumes": _copies(given, wanted, hu)} for case, given, wanted in pairs[:MOST_CASES]]
    data = json.dumps(shown).replace("<", "\\u003c")
    from markupsafe import Markup

    script, name = niivue_script()
    return render("viewer.html.j2", notice=NOTICE, script=Markup(script), niivue=Markup(name), data=Markup(data))  # noqa: S704


def worst_cases(scores: Scores) -> list[str]:
    """The cases that a viewer shows: those with the largest errors in the body."""
    values = {case: scores.value(case, "body", "mae") for case in scores.cases}
    order = sorted(values, key=lambda case: 0.0 if values[case] is None else merit("mae", values[case] or 0.0))
    return order[:MOST_CASES]


def require_viewer(*, pictures: bool = False) -> None:
    """Raise where a viewer could not be built, before hours of work.

    Raises:
        FileError: ipyniivue is not installed, or holds no NiiVue that is known; or pictures are scored, not scans.
    """
    if pictures:
        raise FileError(None, "the viewer shows scans, not pictures", key="--viewer",
                        fix="leave it out: the report shows the pictures")  # fmt: skip
    niivue_script()


def niivue_script() -> tuple[str, str]:
    """NiiVue as text that can stand in a script element, and the name of its class in it."""
    spec = importlib.util.find_spec("ipyniivue")
    if spec is None or spec.origin is None:
        raise FileError(None, "the viewer needs the package ipyniivue", key="--viewer",
                        fix="pip install 'medp2p[viewer]'")  # fmt: skip
    file = Path(spec.origin).parent / "static" / "widget.js"
    try:
        bundle = file.read_text(encoding="utf-8")
    except OSError:
        bundle = ""
    made = re.search(r"=new ([\w$]+)\(", bundle[bundle.find(_MARK) :][:400]) if _MARK in bundle else None
    end = re.search(r"export\s*\{[^{}]*\}\s*;?\s*$", bundle)
    if made is None or end is None:
        raise FileError(None, "this version of ipyniivue holds no NiiVue that is known", key="--viewer",
                        fix="install ipyniivue 2.4.4")  # fmt: skip
    script = bundle[: end.start()].replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return script, made[1]


def _copies(predicted: Volume, reference: Volume, hu: bool) -> dict[str, str]:
    """Predicted, reference and difference as 8-bit NIfTI of about 2 mm, gzipped, in base 64."""
    low, high = SHOWN_HU if hu else percentiles(reference.voxels, (0.5, 99.5))
    limit = DIFFERENCE_HU if hu else (high - low) / 2
    given, affine = _coarse(predicted)
    wanted, _ = _coarse(reference)
    images = {
        "predicted": (given - low) / ((high - low) or 1),
        "reference": (wanted - low) / ((high - low) or 1),
        "predicted - reference": (given - wanted) / (2 * limit or 1) + 0.5,
    }
    return {name: _encoded(image, affine) for name, image in images.items()}


def _coarse(volume: Volume) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Means over blocks of whole voxels that are about 2 mm wide, and their affine."""
    blocks = [max(1, min(n, round(SPACING_MM / mm))) for n, mm in zip(volume.shape, volume.spacing_mm, strict=True)]
    size = [n // block for n, block in zip(volume.shape, blocks, strict=True)]
    cut = volume.voxels[tuple(slice(0, n * block) for n, block in zip(size, blocks, strict=True))]
    shape = [length for n, block in zip(size, blocks, strict=True) for length in (n, block)]
    means = cut.astype(np.float32).reshape(shape).mean(axis=(1, 3, 5))
    scale = np.diag([*map(float, blocks), 1.0])
    scale[:3, 3] = [(block - 1) / 2 for block in blocks]
    return np.asarray(means, np.float32), np.asarray(volume.affine @ scale)


def _encoded(shares: NDArray[Any], affine: NDArray[np.float64]) -> str:
    voxels = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    image = Volume(voxels, affine).to_nibabel()
    return b64encode(gzip.compress(image.to_bytes(), 6, mtime=0)).decode("ascii")
