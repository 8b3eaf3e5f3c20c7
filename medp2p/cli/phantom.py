"""`medp2p phantom`."""

import argparse

from medp2p.cli.messages import say_result
from medp2p.cli.parser import Parser, add_common, add_overwrite, add_verb, whole_number
from medp2p.cli.progress import Progress

DESCRIPTION = """Makes a cohort of synthetic heads to try everything on: mr.nii.gz, ct.nii.gz, regions.nii.gz and
body.nii.gz per case, labels.yaml beside them, with the names of configs/mr2ct.yaml. The same seed gives the same
voxels.

--kind pictures makes synthetic façades instead, photograph and drawing side by side in train, val and test, with the
names of configs/facades.yaml."""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb."""
    parser = add_verb(
        verbs, "phantom", run, summary="make synthetic heads to try it on", description=DESCRIPTION,
        examples=["medp2p phantom data/mr2ct", "medp2p phantom odd_grids --cases 4 --seed 3 --awkward",
                  "medp2p phantom data/facades --kind pictures --cases 40"],
    )  # fmt: skip
    parser.add_argument("folder", metavar="DIR", help="folder to write; refused where it is not empty")
    parser.add_argument("--cases", type=whole_number(1), default=8, metavar="N", help="how many (default: 8)")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N", help="decides every voxel (default: 0)")
    parser.add_argument("--awkward", action="store_true", help="on oblique, flipped grids of unlike spacing")
    parser.add_argument("--kind", default="head", metavar="NAME", help="head or pictures (default: head)")
    add_overwrite(parser, "files of a cohort that are in DIR")
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Draws; prints the folder of every case."""
    from medp2p.data.phantom import write_phantoms

    with Progress(quiet=options.quiet) as progress:
        written = write_phantoms(
            options.folder,
            cases=options.cases,
            seed=options.seed,
            awkward=options.awkward,
            kind=options.kind,
            overwrite=options.overwrite,
            progress=progress,
        )
    for case in written:
        say_result(str(case))
    return 0
