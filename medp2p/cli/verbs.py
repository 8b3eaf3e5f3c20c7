"""The list of verbs; each is a file beside this one."""

import argparse
from collections.abc import Sequence
from typing import Any

from medp2p._version import __version__
from medp2p.cli import (
    check,
    compare,
    config,
    evaluate,
    exchange,
    info,
    node,
    phantom,
    prepare,
    train,
    translate,
)
from medp2p.cli.messages import say_text
from medp2p.cli.parser import PROGRAM, Help, Parser

DESCRIPTION = """One scan becomes another: MRI to CT, one MR contrast to another, learnt from paired scans.
Pictures and radiographs too. Research use only."""
EPILOG = """Examples:
  medp2p phantom data/mr2ct
  medp2p train configs/mr2ct.yaml
  medp2p translate runs/mr2ct -i mr.nii.gz -o sct.nii.gz
  medp2p evaluate -p sct.nii.gz -r ct.nii.gz -m regions.nii.gz -o scores

`medp2p VERB --help` says what a verb does and takes."""
VERBS = (train, translate, evaluate, check, compare, config, info, phantom, prepare, exchange, node)


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog=PROGRAM, description=DESCRIPTION, epilog=EPILOG, formatter_class=Help, allow_abbrev=False, add_help=False
    )
    parser.add_argument("-h", "--help", action="help", help="show this and end")
    parser.add_argument(
        "--version", action="version", version=f"{PROGRAM} {__version__}", help="print the version and end"
    )
    parser.add_argument(
        "--print-completion", action=_PrintCompletion, choices=("bash", "zsh"), metavar="SHELL",
        help="print a completion script for bash or zsh and end",
    )  # fmt: skip
    verbs = parser.add_subparsers(
        title="verbs", metavar="VERB", dest="verb", required=True, parser_class=Parser, prog=PROGRAM
    )
    for verb in VERBS:
        verb.add(verbs)
    return parser


class _PrintCompletion(argparse.Action):
    """Prints a completion script, as `--version` prints a version."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        try:
            import shtab
        except ImportError:
            build_parser().refuse("--print-completion", "shtab is not installed", "pip install 'medp2p[completion]'")
        say_text(shtab.complete(parser, shell=str(values)))
        parser.exit(0)
