"""`medp2p check`."""

import argparse
import json

from medp2p.cli.messages import say_faults, say_result, say_text
from medp2p.cli.parser import Parser, add_common, add_json, add_series, add_set, add_verb
from medp2p.cli.progress import Progress

DESCRIPTION = """Looks for faults and writes nothing.

TARGET is a configuration (then every case is read: files, grids, values, labels, leaks between splits), an image or a
DICOM series, a model file or a run folder. All faults come at once, one line each."""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb."""
    parser = add_verb(
        verbs, "check", run, summary="find what is wrong before work is lost", description=DESCRIPTION,
        examples=["medp2p check configs/mr2ct.yaml", "medp2p check mr.nii.gz", "medp2p check runs/mr2ct"],
    )  # fmt: skip
    parser.add_argument("target", metavar="TARGET", help="configuration, image, series, model file or run folder")
    add_set(parser)
    add_series(parser)
    add_json(parser)
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Checks; one line where all is sound, a line for every fault where it is not."""
    from medp2p.checking import check

    with Progress(quiet=options.quiet) as progress:
        faults = check(options.target, set=options.set, series=options.series, progress=progress)
    if options.json:
        entries = [{"path": f.path, "key": f.key, "line": f.line, "message": f.message} for f in faults]
        say_text(
            json.dumps({"target": options.target, "sound": not faults, "faults": entries}, indent=2, allow_nan=False)
        )
    elif not faults:
        say_result(f"{options.target}: sound")
    say_faults(faults)
    return 2 if faults else 0
