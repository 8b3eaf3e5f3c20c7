"""`medp2p info`."""

import argparse
import json
from collections.abc import Iterator

from medp2p.cli.messages import say_result, say_text
from medp2p.cli.parser import Parser, add_common, add_json, add_series, add_verb
from medp2p.errors import listed

MOST_IN_A_LINE = 20

DESCRIPTION = """Says what something is.

An image or a DICOM series: grid, spacing, orientation, codes, range of values, volumes of regions. A run: trained on
what, by which configuration, scores, hashes, size of its store."""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb."""
    parser = add_verb(
        verbs, "info", run, summary="say what an image or a run is", description=DESCRIPTION,
        examples=["medp2p info mr.nii.gz", "medp2p info runs/mr2ct --json"],
    )  # fmt: skip
    parser.add_argument("target", metavar="TARGET", help="image, DICOM series or run folder")
    add_series(parser)
    add_json(parser)
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Prints what is known of the target."""
    from medp2p.describing import info

    known = info(options.target, series=options.series)
    if options.json:
        say_text(json.dumps(known, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        for line in _lines(known, ""):
            say_result(line)
    return 0


def _lines(known: dict[str, object], indent: str) -> Iterator[str]:
    """A line for each fact, what belongs together indented."""
    for name, value in known.items():
        title = f"{indent}{name.replace('_', ' ')}:"
        if isinstance(value, dict):
            yield title
            yield from _lines(value, indent + "  ")
        elif value is not None:
            yield f"{title:<24}{_plain(value)}"


def _plain(value: object) -> str:
    if isinstance(value, list):
        return listed([_plain(each) for each in value], MOST_IN_A_LINE)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
