"""`medp2p evaluate --run`: the held-out cases of a run, translated by its model and scored."""

import logging
from os import PathLike
from pathlib import Path

from medp2p.data.cases import find_cases
from medp2p.errors import ConfigError
from medp2p.evaluation import Scores, write_evaluation
from medp2p.training.papers import config_with_places
from medp2p.training.validation import HeldOut
from medp2p.translation.translator import Progress, Translator

logger = logging.getLogger(__name__)


def evaluate_run(
    run: str | PathLike[str],
    *,
    output: str | PathLike[str],
    split: str = "test",
    device: str = "auto",
    precision: str = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Scores:
    """Translates the held-out cases of a run and scores them.

    Args:
        run: The run folder.
        output: The folder to write scores and report into.
        split: `test` or `validation`; `train` says how well it knows what it learnt.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: `auto`, `fp32` or `bf16`.
        overwrite: Replace scores that are there.
        progress: Called with done, total and what is being done.

    Returns:
        The scores, as written.

    Raises:
        ConfigError: The run held out no such cases.
        Medp2pError: The run, its scans or the output cannot be used.
    """
    folder = Path(run)
    config = config_with_places(folder)
    cases = [case for case in find_cases(config) if case.split == split]
    if not cases:
        raise ConfigError(run, "the run has no cases of this split", key="--split", found=split,
                          fix="name a split that has cases (test, validation or train)")  # fmt: skip
    translator = Translator.load(folder, device=device, precision=precision)
    held_out = HeldOut(cases, config)
    scores = held_out.score(translator, progress or (lambda done, total, what: None))
    if scores is None:
        raise ConfigError(run, "nothing was scored", fix="give a run with held-out cases")
    said = {"sha256": translator.sha256, "precision": translator.precision, "split": split}
    write_evaluation(Path(output), scores, provenance=said, overwrite=overwrite)
    return scores
