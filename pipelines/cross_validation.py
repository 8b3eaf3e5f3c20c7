"""Every patient once in the test set: a run per fold, their scores pooled. Uses the public face of medp2p alone."""

import argparse
import csv
import hashlib
import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import medp2p

logger = logging.getLogger(__name__)


def cross_validate(
    config: str | Path,
    output: str | Path,
    *,
    folds: int = 5,
    validation: int = 1,
    device: str = "auto",
    settings: Sequence[str] = (),
) -> medp2p.evaluation.Scores:
    """Trains a model per fold and scores every patient by the one model that never saw them.

    Given again after an interruption it goes on where it stopped.

    Args:
        config: A configuration with `data.folder`; its `data.split` is not used.
        output: Gets `fold_<n>/` (cases.csv, run/, scores/) and the pooled `scores/`, as `evaluate` writes them.
        folds: How many models; each patient is in the test set of one.
        validation: Patients per fold by which the best weights are chosen.
        device: As in `medp2p.train`.
        settings: Further `section.key=value`, for every fold.

    Returns:
        The pooled scores.

    Raises:
        medp2p.ConfigError: There are too few patients for so many folds, or the configuration lists its cases.
    """
    cases, target = _cases(Path(config)), Path(output)
    patients = sorted({case["patient"] for case in cases}, key=lambda patient: _order(patient))
    if not 2 <= folds <= len(patients) or len(patients) - -(-len(patients) // folds) - validation < 1:
        raise medp2p.ConfigError(
            config, "too few patients to train on", key="--folds", found=f"{len(patients)} patients, {folds} folds",
            fix="ask for fewer folds, or name more cases",
        )  # fmt: skip
    parts = []
    for fold in range(folds):
        folder = target / f"fold_{fold + 1}"
        _write_cases(folder / "cases.csv", cases, _splits(patients, fold, folds, validation))
        listed = [f"data.cases={folder / 'cases.csv'}", *(f"data.{key}=null" for key in ("folder", "files", "split"))]
        logger.info("fold %d of %d", fold + 1, folds)
        run = medp2p.train(config, run=folder / "run", resume=True, set=[*listed, *settings], device=device)
        parts.append(_scores(run, folder / "scores", device))
    pooled = medp2p.evaluation.Scores.combine(parts)
    medp2p.evaluation.write_evaluation(target / "scores", pooled)
    return pooled


def _cases(config: Path) -> list[dict[str, str]]:
    """The cases of the configuration's folder: id, patient and the absolute path of each file."""
    data: dict[str, Any] = YAML(typ="safe", pure=True).load(config.read_text(encoding="utf-8"))["data"]
    if not data.get("folder"):
        raise medp2p.ConfigError(config, "cases are not in one folder", key="data.folder", fix="name a data.folder")
    folder = (config.parent / data["folder"]).resolve()
    channels = [*_listed(data["sources"]), *_listed(data["target"])]
    files = {channel: f"{channel}.nii.gz" for channel in channels} | (data.get("files") or {})
    pattern = re.compile(data.get("patient") or "(.*)")
    found = []
    for case in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        patient = pattern.match(case.name)
        row = {"id": case.name, "patient": patient[1] if patient else case.name}
        for name, file in files.items():
            paths = [case / one.replace("{case}", case.name) for one in _listed(file)]
            row |= {name: "|".join(map(str, paths))} if all(path.exists() for path in paths) else {}
        found += [row] if len(row) > 2 else []
    return found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _order(patient: str) -> str:
    return hashlib.sha256(patient.encode()).hexdigest()


def _splits(patients: list[str], fold: int, folds: int, validation: int) -> dict[str, str]:
    """The split of every patient in one fold."""
    test = patients[fold::folds]
    others = [patient for patient in patients[fold:] + patients[:fold] if patient not in test]
    chosen = dict.fromkeys(others[:validation], "validation")
    return dict.fromkeys(patients, "train") | chosen | dict.fromkeys(test, "test")


def _write_cases(path: Path, cases: Sequence[dict[str, str]], splits: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(["id", "split", "patient", *(key for case in cases for key in case)]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(case | {"split": splits[case["patient"]]} for case in cases)


def _scores(run: medp2p.Run, folder: Path, device: str) -> medp2p.evaluation.Scores:
    """The scores of a fold's test patients, read where they are there already."""
    if (folder / "scores.json").exists():
        return medp2p.evaluation.read_scores(folder)
    done = medp2p.evaluate_run(run, output=folder, device=device, overwrite=True)
    done.check()
    return done.scores


def main(words: Sequence[str] | None = None) -> int:
    """The same from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--validation", type=int, default=1, help="patients per fold that choose the best weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=VALUE")
    options = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        scores = cross_validate(
            options.config, options.output, folds=options.folds, validation=options.validation,
            device=options.device, settings=options.set,
        )  # fmt: skip
    except medp2p.Medp2pError as error:
        print(*(f"error: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
        return error.exit_code
    for row in scores.summary():
        if row["metric"] == "mae":
            print(f"{row['region']:<12} mae {row['mean']} ± {row['std']} {row['unit']}, {row['cases']} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
