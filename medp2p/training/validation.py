"""Validation: held-out scans through the very translation that users run, scored per region; the best weights kept."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from medp2p.config import Config
from medp2p.data.cases import Case
from medp2p.data.cohort import label_table
from medp2p.data.loading import LoadedCase, load_case
from medp2p.device import Precision
from medp2p.errors import ConfigError
from medp2p.evaluation import Scores, evaluate, is_better, protocols, write_evaluation
from medp2p.evaluation.figures import slice_strip
from medp2p.io.atomic import write_bytes
from medp2p.networks import set_reference_habit
from medp2p.training.checkpoint import Progressed
from medp2p.training.interruption import Stop, stopping
from medp2p.translation.description import Description
from medp2p.translation.model_file import MODEL_FILE, write_model
from medp2p.translation.translator import Progress, Translator
from medp2p.volume import Volume

logger = logging.getLogger(__name__)

Progressing = Callable[[int, int, str], None]


@dataclass(frozen=True)
class HeldOut:
    """Cases to translate and to score.

    Attributes:
        cases: Their files.
        config: The configuration of the run.
    """

    cases: Sequence[Case]
    config: Config

    def score(self, translator: Translator, progress: Progressing, each: "OnCase | None" = None) -> Scores | None:
        """Translates and scores every case; None where there is none.

        Args:
            translator: What translates.
            progress: Told about every batch of slices.
            each: Told about every case with its predictions.
        """
        names, groups = label_table(self.config)
        table: dict[object, object] = {**names} | ({"groups": groups} if groups else {})
        parts = []
        for number, case in enumerate(self.cases, 1):
            loaded = load_case(case, self.config, table or None)
            sources = {name: loaded.volumes[name] for name in self.config.data.sources}
            told = _titled(progress, f"{number} of {len(self.cases)}, {case.id}")
            predicted = translator.translate_all(sources, progress=told)
            for target in self.config.data.target:
                parts.append(self._scored(loaded, target, predicted[target]))
            if each:
                each(loaded, predicted)
        return Scores.combine(parts) if parts else None

    def _scored(self, loaded: LoadedCase, target: str, predicted: Volume) -> Scores:
        several = len(self.config.data.target) > 1
        return evaluate(
            predicted,
            loaded.volumes[target],
            loaded.regions,
            body=loaded.body,
            weighted=weighted_regions(self.config),
            protocol=protocol_of(self.config, target),
            case=f"{loaded.case.id}.{target}" if several else loaded.case.id,
            patient=loaded.case.patient,
        )


def _titled(progress: Progressing, title: str) -> Progressing:
    return lambda done, total, what: progress(done, total, f"{what} {title}")


OnCase = Callable[[LoadedCase, Mapping[str, Volume]], None]


def weighted_regions(config: Config) -> tuple[str, ...]:
    """The regions that the loss emphasises."""
    return tuple(name for name, weight in config.regions.weights.items() if weight > 1)


def protocol_of(config: Config, target: str) -> str:
    """The protocol that a target is scored by."""
    named = config.evaluation.protocol
    return named if named != "auto" else "synthrad2025" if config.intensity[target].hu else "mr"


class Validation:
    """Scores the generator on the validation cases, and keeps its weights where they are the best so far.

    Args:
        folder: The run folder.
        held_out: The validation cases; without any the newest weights are kept.
        description: What the model file will say.
        device: Where the generator is.
        say: Told in words what was found.
    """

    def __init__(
        self,
        folder: Path,
        held_out: HeldOut,
        description: Description,
        *,
        device: torch.device,
        say: Callable[[str], None],
    ) -> None:
        self._folder, self._held_out, self._description = folder, held_out, description
        self._device, self._say = device, say
        best_by = held_out.config.evaluation.best_by
        self.column = f"{best_by.region}_{best_by.metric}"

    @property
    def unit(self) -> str:
        """Of the deciding score."""
        return self.unit_of(self._held_out.config.evaluation.best_by.metric)

    def unit_of(self, metric: str) -> str:
        """Of a metric of the first target; empty for pure numbers."""
        config = self._held_out.config
        target = config.data.target[0]
        return protocols[protocol_of(config, target)].unit(metric, hu=config.intensity[target].hu) or ""

    @property
    def precision(self) -> Precision:
        """In which the generator is validated, and will translate."""
        return self._description.precision

    def __call__(self, generator: nn.Module, progressed: Progressed, stop: Stop, progress: Progress | None) -> None:
        """Scores the generator; what it found goes into `progressed` and the run folder.

        Raises:
            Interrupted: It was told to stop; nothing was changed.
        """
        strips: list[bytes] = []
        generator.eval()
        if self._description.habit == "training":
            set_reference_habit(generator)
        translator = Translator(generator, self._description, device=self._device, precision=self.precision)
        try:
            scores = self._held_out.score(
                translator,
                stopping(progress, stop),
                lambda loaded, predicted: strips.append(self._strip(loaded, predicted)),
            )
        finally:
            generator.train()
        if scores is None:
            write_model(self._folder / MODEL_FILE, generator.state_dict(), self._description)
            return
        if strips:
            (self._folder / "samples").mkdir(exist_ok=True)
            for number, strip in enumerate(strips):
                case = self._held_out.cases[number].id
                write_bytes(self._folder / "samples" / f"epoch_{progressed.epoch:04d}_{case}.png", strip)
        self._judge(generator, progressed, scores)

    def _strip(self, loaded: LoadedCase, predicted: Mapping[str, Volume]) -> bytes:
        config = self._held_out.config
        target, source = config.data.target[0], config.data.sources[0]
        return slice_strip(
            loaded.volumes[source],
            predicted[target],
            loaded.volumes[target],
            regions=loaded.regions,
            weighted=weighted_regions(config),
            hu=config.intensity[target].hu,
        )

    def _judge(self, generator: nn.Module, progressed: Progressed, scores: Scores) -> None:
        """Keeps the weights where the deciding score is the best so far, or as long as there is none."""
        best_by = self._held_out.config.evaluation.best_by
        summary = {(row["region"], row["metric"]): row for row in scores.summary()}
        decisive = summary.get((best_by.region, best_by.metric))
        if decisive is None:
            raise ConfigError(
                None,
                "no such region in the scores of the validation scans",
                key="evaluation.best_by.region",
                found=best_by.region,
                expected=f"one of {', '.join(scores.regions)}",
                fix="name one of them",
            )
        progressed.scores = {
            f"{region}_{metric}": None if row["mean"] is None else float(row["mean"])
            for (region, metric), row in summary.items()
        }
        value = progressed.scores[self.column]
        better = is_better(best_by.metric, value, progressed.best)
        if not better and progressed.best is not None:
            return
        if not better:
            logger.warning("%s has no value on the validation scans: the newest weights are kept", self.column)
        sha256 = write_model(self._folder / MODEL_FILE, generator.state_dict(), self._description)
        progressed.best, progressed.best_epoch = (value if better else None), progressed.epoch
        progressed.best_scores = progressed.scores
        write_evaluation(self._folder / "validation", scores, provenance={"epoch": progressed.epoch, "sha256": sha256})
