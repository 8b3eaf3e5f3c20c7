"""`LIMITS.md` in folders of predictions: what the images are not, and what the model was trained on and scored."""

import logging
from os import PathLike
from pathlib import Path

from medp2p.errors import Medp2pError
from medp2p.io.atomic import write_text
from medp2p.translation.description import Description
from medp2p.translation.model_file import CARD_FILE, ModelHeader, model_path, read_header
from medp2p.translation.outputs import RESEARCH_USE

logger = logging.getLogger(__name__)

LIMITS_FILE = "LIMITS.md"
_TITLE = "# Synthetic images and their limits"
_MOST_BYTES = 1 << 20
_NOT_FOR = """## Where they must not be used
- For diagnosis, treatment, treatment planning or dose; nor anywhere as if they had been acquired.
- For scans unlike those that the model was trained on: other scanners and sequences, other parts of the body, children,
  metal, implants, contrast agent, states after surgery. What is not usual may be missing or invented: fractures,
  calcifications, lesions, air where none is expected.
- For the value of single voxels: values are estimates, and edges of bone and air are the least certain.
- To correct the geometry of the source: grid and distortions are those of the source."""
_NOT_FOR_PICTURES = """## Where they must not be used
- As photographs or radiographs that were taken; radiographs not for diagnosis or treatment.
- For pictures unlike those that the model was trained on: other subjects, cameras, detectors, drawings of another
  style. What is not usual may be missing or invented.
- For the value of single pixels: values are estimates.
- To correct the geometry of the source: size and distortions are those of the source."""


def limits_card(run: str | PathLike[str]) -> str:
    """What whoever finds predictions of a run must know of them, in Markdown.

    Args:
        run: A run folder, or its `generator.safetensors` alone, of which training and scores are then not known.

    Raises:
        ModelError: It is no model.
    """
    path = model_path(Path(run))
    header = read_header(path)
    not_for = _NOT_FOR_PICTURES if header.description.pictures else _NOT_FOR
    return (
        "\n\n".join([_TITLE, RESEARCH_USE, not_for, f"## The model\n{_facts(header)}", _trained(path, header)]) + "\n"
    )


def _facts(header: ModelHeader) -> str:
    description = header.description
    return "\n".join(
        [
            f"- makes {', '.join(description.target_images)} of {', '.join(description.source_images)}",
            *(f"- {name}: {_range(description, name)}" for name in description.target_images),
            f"- weights SHA-256 `{header.sha256}`",
            f"- description SHA-256 `{header.description_sha256}`",
        ]
    )


def _range(description: Description, name: str) -> str:
    if description.pictures:
        return f"estimates of grey levels of {description.bits[name]} bits"
    intensity = description.intensity[name]
    if intensity.hu:
        return f"estimates of HU from {intensity.low:g} to {intensity.high:g}, beyond which nothing is predicted"
    return "values on the scale of the training scans, without a unit"


def _trained(path: Path, header: ModelHeader) -> str:
    """What the model card of these very weights says of training, scores and limits."""
    card = path.parent / CARD_FILE
    try:
        text = card.read_text(encoding="utf-8") if card.is_file() and card.stat().st_size <= _MOST_BYTES else ""
    except (OSError, UnicodeDecodeError):
        text = ""
    if header.sha256 not in text or "## Trained on" not in text:
        return "## Trained on, scored\nNo model card lies beside the weights: nothing is known here of either."
    return text[text.index("## Trained on") :].rpartition("weights SHA-256")[0].strip()


def put_limits_card(run: str | PathLike[str], path: Path) -> None:
    """Write the card, unless a file is there that is none; a failure is a warning, for the images are there."""
    try:
        if path.exists() and not path.read_bytes().startswith(_TITLE.encode()):
            logger.warning("%s is another's, so the limits of the images are not written there", path)
            return
        write_text(path, limits_card(run))
    except (OSError, Medp2pError) as error:
        logger.warning("the limits of the images could not be written: %s", error)
