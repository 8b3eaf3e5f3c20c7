"""Validation: held-out scans through the very translation that users run, scored per region; the best weights kept."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from medp2p.config import Config
from medp2p.data.cases import Case
from medp2p.data.cohort import label_table
from medp2p.data.loading import LoadedCase, load_case
from medp2p.device import Precision
from medp2p.errors import ConfigError, FileError, Medp2pError
from medp2p.evaluation import Scores, is_better, protocols
from medp2p.evaluation.case import Case as PreparedCase
from medp2p.evaluation.case import prepare_case
from medp2p.evaluation.pictures import CasePictures, pictures_of
from medp2p.evaluation.unfinished import CaseResult, Unfinished
from medp2p.evaluation.written import write_evaluation
from medp2p.io.atomic import write_bytes
from medp2p.io.machine import as_file_error
from medp2p.networks import set_reference_habit
from medp2p.training.checkpoint import Progressed
from medp2p.training.interruption import Stop, stopping
from medp2p.translation.description import Description
from medp2p.translation.model_file import MODEL_FILE, write_model
from medp2p.translation.progress import Progress
from medp2p.translation.translator import Translator
from medp2p.volume import Volume

logger = logging.getLogger(__name__)

Progressing = Callable[[int, int, str], None]


@dataclass(frozen=True)
class HeldOut:
    """Cases to translate and to score.

    Attributes:
        cases: Their files.
        config: The configuration of the run.
        hashes: Of each case, what its files held when they were checked; what is not named is taken as it is.
    """

    cases: Sequence[Case]
    config: Config
    hashes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def score(self, translator: Translator, progress: Progressing) -> list[CaseResult]:
        """Translates and scores every case.

        Args:
            translator: What translates.
            progress: Told about every batch of slices.

        Returns:
            Scores and pictures of each case and target that could be scored.
        """
        results: list[CaseResult] = []
        for number, case in enumerate(self.cases, 1):
            results += self.results_of(case, translator, _titled(progress, f"{number} of {len(self.cases)}, {case.id}"))
        return results

    def results_of(
        self, case: Case, translator: Translator, progress: Progressing, unfinished: Unfinished | None = None
    ) -> list[CaseResult]:
        """Translates and scores one case.

        Args:
            case: Its files.
            translator: What translates.
            progress: Told about every batch of slices.
            unfinished: Keeps what is done, and knows what was done before.

        Raises:
            Medp2pError: The files of the case are refused, or are no longer those that were checked.
        """
        loaded = self._loaded(case)
        key = json.dumps(loaded.hashes, sort_keys=True)
        targets = self.config.data.target_images
        kept = [unfinished.get(self._name(case, target), key) for target in targets] if unfinished else [None]
        done = [result for result in kept if result is not None]
        if len(done) == len(targets):
            return done
        results = list(self._results(loaded, translator, progress))
        for result in results:
            if unfinished:
                unfinished.put(result.scores.cases[0], key, result)
        return results

    def pairs_of(self, case: Case, translator: Translator) -> list[tuple[str, Volume, Volume]]:
        """Name, predicted and reference of each target of a case."""
        loaded = self._loaded(case)
        predicted = translator.translate_all({name: loaded.images[name] for name in self.config.data.source_images})
        return [(self._name(case, name), volume, loaded.images[name]) for name, volume in predicted.items()]

    def _loaded(self, case: Case) -> LoadedCase:
        names, groups = label_table(self.config)
        table: dict[object, object] = {**names} | ({"groups": groups} if groups else {})
        loaded = load_case(case, self.config, table or None)
        checked = self.hashes.get(case.id, {})
        changed = sorted(name for name in checked if checked[name] != loaded.hashes.get(name))
        if changed:
            raise FileError(
                case.files.get(changed[0]),
                "files of this case are no longer those that the run was made with",
                key=case.id,
                found=", ".join(changed),
                fix="bring the same scans back; a training then goes on with --resume. "
                "Other scans are scored by `medp2p evaluate -p PREDICTED -r REFERENCE`",
            )
        return loaded

    def _results(self, loaded: LoadedCase, translator: Translator, progress: Progressing) -> Iterator[CaseResult]:
        sources = {name: loaded.images[name] for name in self.config.data.source_images}
        predicted = translator.translate_all(sources, progress=progress)
        for target in self.config.data.target_images:
            try:
                prepared = self._prepared(loaded, target, predicted[target])
            except Medp2pError as error:  # a case whose checks were waived may be one that no protocol takes
                logger.warning("%s is not scored: %s", loaded.case.id, error)
                continue
            facts = {f"{name}_sha256": sha for name, sha in loaded.hashes.items()}
            pictures = pictures_of(prepared, next(iter(sources.values())))
            yield CaseResult(prepared.scores(facts=facts), pictures)

    def _name(self, case: Case, target: str) -> str:
        return f"{case.id}.{target}" if len(self.config.data.target_images) > 1 else case.id

    def _prepared(self, loaded: LoadedCase, target: str, predicted: Volume) -> PreparedCase:
        known = loaded.regions.region_names if loaded.regions else ()
        return prepare_case(
            predicted,
            loaded.images[target],
            loaded.regions,
            body=loaded.body,
            weighted=[name for name in weighted_regions(self.config) if name in known],
            protocol=protocol_of(self.config, target),
            case=self._name(loaded.case, target),
            patient=loaded.case.patient,
        )


def _titled(progress: Progressing, title: str) -> Progressing:
    return lambda done, total, what: progress(done, total, f"{what} {title}")


def weighted_regions(config: Config) -> tuple[str, ...]:
    """The regions that the loss emphasises."""
    return tuple(name for name, weight in config.regions.weights.items() if weight > 1)


def protocol_of(config: Config, target: str) -> str:
    """The protocol that a target is scored by."""
    named = config.evaluation.protocol
    if named != "auto":
        return named
    return "picture" if config.data.pictures else "synthrad2025" if config.intensity[target].hu else "mr"


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
        set_reference_habit(generator, self._description.habit == "training")
        translator = Translator(generator, self._description, device=self._device, precision=self.precision)
        try:
            results = self._held_out.score(translator, stopping(progress, stop))
        finally:
            set_reference_habit(generator, False).train()
        if not results:
            write_model(self._folder / MODEL_FILE, generator.state_dict(), self._description)
            return
        pictures = [result.pictures for result in results]
        self._keep_samples(progressed.epoch, pictures)
        self._judge(generator, progressed, Scores.combine([result.scores for result in results]), pictures)

    def _keep_samples(self, epoch: int, pictures: Sequence[CasePictures]) -> None:
        """The first picture of each case, a file for every validation."""
        folder = self._folder / "samples"
        with as_file_error(folder, doing="made"):
            folder.mkdir(exist_ok=True)
        for case in pictures:
            for picture in case.pictures[:1]:
                write_bytes(folder / f"epoch_{epoch:04d}_{case.case}.png", picture.png)

    def _judge(
        self, generator: nn.Module, progressed: Progressed, scores: Scores, pictures: Sequence[CasePictures]
    ) -> None:
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
        found = replace(scores, provenance={"epoch": progressed.epoch, "sha256": sha256})
        write_evaluation(self._folder / "validation", found, pictures)
