"""`medp2p evaluate`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from medp2p.cli.messages import say_faults, say_on_stderr, say_result, say_text
from medp2p.cli.parser import Parser, add_common, add_device, add_json, add_many, add_overwrite, add_verb
from medp2p.cli.progress import Progress

if TYPE_CHECKING:
    from medp2p.evaluation import Evaluation

PROTOCOLS = ("auto", "synthrad2023", "synthrad2025", "mr", "mr_raw", "skimage", "monai", "picture")
FILES = ("scores.csv", "summary.csv", "scores.json", "report.html", "viewer.html")
DESCRIPTION = """Scores predicted scans against acquired ones, per case, region and metric; or the held-out cases of a
run.

PREDICTED, REFERENCE, REGIONS and BODY are files, or folders whose files (or case folders) match by name; each may be
a pattern with {case} in it. PREDICTED and REFERENCE of a single pair may each be a folder with a DICOM series. Writes
scores.csv, summary.csv, scores.json and report.html into DIR."""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb."""
    parser = add_verb(
        verbs, "evaluate", run, summary="score predicted scans per region", description=DESCRIPTION,
        examples=[
            "medp2p evaluate -p sct.nii.gz -r ct.nii.gz -m regions.nii.gz --names labels.yaml -o scores",
            "medp2p evaluate -p predicted -r 'data/{case}/ct.nii.gz' -m 'data/{case}/regions.nii.gz' -o scores",
            "medp2p evaluate --run runs/mr2ct --split test -o scores",
        ],
    )  # fmt: skip
    files = parser.add_argument_group("files")
    files.add_argument("-p", "--predicted", metavar="PREDICTED", help="predicted scans")
    files.add_argument("-r", "--reference", metavar="REFERENCE", help="acquired scans")
    files.add_argument(
        "-m", "--regions", action="append", default=[], metavar="REGIONS", help="label maps or masks; may be repeated"
    )
    files.add_argument(
        "--predicted-regions", metavar="REGIONS", help="label maps of the predictions, for Dice and Hausdorff distance"
    )
    files.add_argument("--names", metavar="NAMES", help="label table, or totalsegmentator; else a region is its number")
    files.add_argument("-b", "--body", metavar="BODY", help="masks of the body; found where none are given")
    files.add_argument("--weighted", metavar="NAME,…", help="the regions that `weighted` joins")
    files.add_argument(
        "--reference-half", choices=("left", "right"),
        help="the half that is the reference, where a picture holds both of a pair side by side",
    )  # fmt: skip
    held = parser.add_argument_group("held-out cases")
    held.add_argument(
        "--run", dest="model", metavar="RUN", help="translate the held-out cases of this run, and score them"
    )
    held.add_argument("--split", choices=("test", "validation", "train"), help="which cases of it (default: test)")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="auto", help="how to score (default: auto)")
    parser.add_argument("--viewer", action="store_true", help="an interactive viewer in the report (extra `viewer`)")
    add_json(parser)
    add_overwrite(parser, "an evaluation that is in DIR")
    add_device(parser)
    add_many(parser)
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Scores; prints the files written, or the scores as JSON; on stderr a small table, and cases that were refused."""
    _refuse_mixtures(options)
    with Progress(quiet=options.quiet) as progress:
        done = _score_run(options, progress) if options.model else _score_files(options, progress)
    folder = Path(options.output)
    if options.json:
        say_text((folder / "scores.json").read_text(encoding="utf-8"))
    else:
        for name in FILES:
            if (folder / name).exists():
                say_result(str(folder / name))
    if not options.quiet:
        _say_scores(done, options)
    say_faults(done.faults)
    return 2 if done.faults else 0


def _say_scores(done: "Evaluation", options: argparse.Namespace) -> None:
    """The means of each region, so that nobody has to open a file to know how good it is."""
    from medp2p.evaluation.score_table import score_lines

    for line in score_lines(done.scores):
        say_on_stderr(line)
    if options.names is None and any(region.isdecimal() for region in done.scores.regions):
        where = "regions.names of the configuration" if options.model else "--names labels.yaml"
        say_on_stderr(f"regions are called by their numbers; a label table gives them names: {where}")


def _score_run(options: argparse.Namespace, progress: Progress) -> "Evaluation":
    from medp2p.training import evaluate_run

    return evaluate_run(
        options.model,
        output=options.output,
        split=options.split or "test",
        device=options.device,
        precision=options.precision,
        overwrite=options.overwrite,
        progress=progress,
        viewer=options.viewer,
        workers=options.workers,
        cluster=options.cluster,
        shard_of=options.shard,
    )


def _score_files(options: argparse.Namespace, progress: Progress) -> "Evaluation":
    from medp2p.evaluation import evaluate_files

    return evaluate_files(
        options.predicted,
        options.reference,
        regions=options.regions,
        body=options.body,
        predicted_regions=options.predicted_regions,
        reference_half=options.reference_half,
        output=options.output,
        names=options.names,
        weighted=[name.strip() for name in (options.weighted or "").split(",") if name.strip()],
        protocol=options.protocol,
        viewer=options.viewer,
        overwrite=options.overwrite,
        workers=options.workers,
        progress=progress,
        cluster=options.cluster,
        shard_of=options.shard,
    )


def _refuse_mixtures(options: argparse.Namespace) -> None:
    """Either files or a run; each with what belongs to it."""
    parser: Parser = options.parser
    of_files = {"-p": options.predicted, "-r": options.reference, "-m": options.regions, "--names": options.names,
                "-b": options.body, "--weighted": options.weighted,
                "--predicted-regions": options.predicted_regions,
                "--reference-half": options.reference_half}  # fmt: skip
    given = [name for name, value in of_files.items() if value]
    if options.model and given:
        parser.refuse(given[0], "not together with --run", "the run knows its files: leave it out")
    if options.model:
        return
    if options.split:
        parser.refuse("--split", "only together with --run", "add --run RUN, or leave --split out")
    for name in ("-p", "-r"):
        if not of_files[name]:
            parser.refuse(name, "it is missing", "write -p PREDICTED -r REFERENCE, or --run RUN")
