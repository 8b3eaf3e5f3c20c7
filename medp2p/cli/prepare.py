"""`medp2p prepare`."""

import argparse

from medp2p.cli.messages import say_result
from medp2p.cli.parser import Parser, add_common, add_many, add_overwrite, add_verb
from medp2p.cli.progress import Progress

DESCRIPTION = """Makes an aligned cohort of raw scans, with masks of the body and quality pictures.

RAW/<case>/ holds each channel as an image file of its name, or as a folder with one DICOM series, and body and regions
if there are any. All are moved onto the CT, else onto the first channel. Every case gets a verdict, good, look or
failed; failed ones go to COHORT/.failed, where no training finds them. COHORT/index.html shows them all, worst first.

--set: onto=NAME, transform=none|rigid|affine|bspline, n4=false|true|[NAME,…], body=false, regions=true, seed=N"""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb."""
    parser = add_verb(
        verbs, "prepare", run, summary="make an aligned cohort of raw scans", description=DESCRIPTION,
        examples=["medp2p prepare raw -o data/mr2ct", "medp2p prepare raw -o cohort --set onto=flair --set n4=false"],
    )  # fmt: skip
    parser.add_argument("raw", metavar="RAW", help="folder with a sub-folder per case")
    parser.add_argument("-o", "--output", required=True, metavar="COHORT", help="folder to write")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option; may be repeated")
    add_overwrite(parser, "cases that are in COHORT")
    add_many(parser)
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Prepares; prints the folder of every case as soon as it is written, and the page over all of them."""
    from medp2p.preparation import prepare

    with Progress(quiet=options.quiet) as progress:
        prepare(
            options.raw,
            options.output,
            set=options.set,
            overwrite=options.overwrite,
            shard_of=options.shard,
            progress=progress,
            made=lambda path: say_result(str(path)),
            workers=options.workers,
            cluster=options.cluster,
        )
    return 0
