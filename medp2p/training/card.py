"""`model_card.md`: what a stranger must know before using a model."""

from collections.abc import Sequence
from pathlib import Path

from medp2p.config import Config
from medp2p.data.cases import Case
from medp2p.io.atomic import write_text
from medp2p.training.checkpoint import Progressed
from medp2p.training.papers import RESEARCH_USE
from medp2p.translation.model_file import CARD_FILE


def write_card(
    folder: Path, *, config: Config, cases: Sequence[Case], progressed: Progressed, best_by: str, unit: str, sha256: str
) -> None:
    """Writes what a stranger must know before using the model."""
    pictures = config.data.pictures
    what = "pictures" if pictures else "scans"
    count = {split: sum(c.split == split for c in cases) for split in ("train", "validation", "test")}
    patients = len({case.patient for case in cases if case.split == "train"})
    preparation = config.preparation
    spacing = (
        "the scan's own" if preparation.spacing_mm is None else " x ".join(f"{mm:g}" for mm in preparation.spacing_mm)
    )
    cut = f"{preparation.plane} slices of {spacing} mm"
    if pictures:
        resized = f", resized to {list(preparation.resize)}" if preparation.resize else ""
        cut = f"pictures{resized}, in slices of {list(preparation.size)} pixels"
    of_patients = "" if pictures and patients == count["train"] else f" of {_counted(patients, 'patients')}"
    knows = "- It knows the scanners, protocols, bodies and diseases of its training scans, and no others."
    example = "a lesion that it has not learnt may vanish, and one may appear."
    if pictures:
        knows = "- It knows what its training pictures show, by their cameras or detectors, and nothing else."
        example = "what it has not learnt may vanish, and what it has may appear."
    row = progressed.history[-1] if progressed.history else {}
    scored = [
        f"- {name.replace('_', ' ')}: {value:.4g}"
        for name, value in (progressed.best_scores or {}).items()
        if value is not None and name.endswith(("_mae", "_psnr", "_ssim"))
    ]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in config.regions.weights.items()) or "none"
    maps = "; ".join(f"{n} {m.kind} {m.low:g} to {m.high:g}{' HU' * m.hu}" for n, m in config.intensity.items())
    best = [f"Not scored: none of the {what} was held out for validation, and the last epoch was kept."]
    if progressed.best_epoch:
        best = [f"Best {best_by.replace('_', ' ')} ({unit}) at epoch {progressed.best_epoch}.", *scored]
        best += ["", f"The best epoch was chosen by these {what}, so they flatter it."]
    if count["test"]:
        best += ["", f"`medp2p evaluate --run` scores the test {what}, which had no part in the training."]
    text = f"""# Model card

{RESEARCH_USE}

## What it does
From {", ".join(config.data.source_images)} to {", ".join(config.data.target_images)}, {cut},
{config.generator.kind} with {config.generator.channels} channels, {config.generator.norm} norm.

## Trained on
- {_counted(count["train"], what)}{of_patients}; {count["validation"]} validated, {count["test"]} held out
- {_counted(int(row.get("epoch") or 0), "epochs")}; weights in the loss: {weights}
- intensities: {maps}

## Scored on the validation {what}
{chr(10).join(best)}

## Limits
{knows}
- It draws what is likely, not what is there: {example}
- Its training {what} cannot be rebuilt from it by looking; nobody has proven that they cannot be at all.

weights SHA-256: `{sha256}`
"""
    write_text(folder / CARD_FILE, text)


def _counted(number: int, things: str) -> str:
    """A number of things, in words that fit one of them as well."""
    return f"{number} {things.removesuffix('s') if number == 1 else things}"
