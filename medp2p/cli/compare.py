"""`medp2p compare`."""

import argparse
from pathlib import Path

from medp2p.cli.messages import say_on_stderr, say_result, say_text
from medp2p.cli.parser import Parser, add_common, add_json, add_overwrite, add_verb

FILES = ("compare.csv", "compare.json", "compare.html")
DESCRIPTION = """Compares two evaluations of the same cases: paired differences per region and metric, with interval,
test and how many patients gain. Cohorts or protocols that differ are refused."""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb."""
    parser = add_verb(
        verbs, "compare", run, summary="compare two evaluations of the same cases", description=DESCRIPTION,
        examples=["medp2p compare scores_weight_1 scores_weight_10 -o compared"],
    )  # fmt: skip
    parser.add_argument("first", metavar="DIR_A", help="what `medp2p evaluate` wrote")
    parser.add_argument("second", metavar="DIR_B", help="another, of the same cases")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write")
    add_json(parser)
    add_overwrite(parser, "a comparison that is in DIR")
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Compares; prints the files written, or the comparison as JSON; on stderr who wins where."""
    from medp2p.evaluation import compare
    from medp2p.evaluation.score_table import comparison_lines

    found = compare(options.first, options.second, options.output, overwrite=options.overwrite)
    folder = Path(options.output)
    if options.json:
        say_text((folder / "compare.json").read_text(encoding="utf-8"))
    else:
        for name in FILES:
            say_result(str(folder / name))
    if not options.quiet:
        for line in comparison_lines(found):
            say_on_stderr(line)
    return 0
