"""What is common to the verbs: help that is pleasant to read, options that every verb has, usage faults in one line."""

import argparse
import os
import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from rich_argparse import RawDescriptionRichHelpFormatter

from medp2p.cli.messages import say_faults, say_on_stderr
from medp2p.cli.reference_flags import known_here
from medp2p.errors import fault
from medp2p.nearest import did_you_mean

PROGRAM = "medp2p"


def _heading(name: str) -> str:
    """A heading with its first letter large, and DICOM as it is."""
    return name[:1].upper() + name[1:]


class Help(RawDescriptionRichHelpFormatter):
    """Help in colours on a terminal; brackets in it are brackets."""

    text_markup = False
    help_markup = False
    group_name_formatter = staticmethod(_heading)  # type: ignore[assignment]  # declared as the bound str.title
    styles = RawDescriptionRichHelpFormatter.styles | {"argparse.groups": "bold", "argparse.prog": "bold"}


class Parser(argparse.ArgumentParser):
    """A parser whose faults are one line of usage and one `error: ARGUMENT: cause. Fix: …`."""

    def error(self, message: str) -> NoReturn:
        """End with 2, after saying what is wrong with which argument."""
        argument, cause, fix = _in_our_words(message, self)
        self.refuse(argument, cause, fix)

    def refuse(self, argument: str, cause: str, fix: str) -> NoReturn:
        """End with 2 for an argument that the parser took and the verb cannot use."""
        if self.prog == f"{PROGRAM} train" and os.environ.get("RANK", "0") != "0":
            self.exit(0)  # torchrun gives all processes the same words, and the first one says what is wrong with them
        say_on_stderr(" ".join(self.format_usage().split()))
        say_faults([fault(None, cause, fix=fix, key=argument)])
        self.exit(2)

    def options_known(self) -> list[str]:
        """Every spelling of every option."""
        return [text for action in self._actions for text in action.option_strings]


def parse(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """The options of a command line.

    Raises:
        SystemExit: 0 after help or version, 2 after a usage fault that has been said.
    """
    first = words[0].split("=")[0] if words else ""
    if first.startswith("-") and first not in parser.options_known():
        fix = did_you_mean(first, parser.options_known(), f"options come after the verb: `medp2p VERB … {first}`")
        parser.refuse(first, "no such option before the verb", fix)
    options, unknown = parser.parse_known_args(words)
    if unknown:
        verb: Parser = getattr(options, "parser", parser)
        word = next((word for word in unknown if word.startswith("-")), unknown[0])
        if not word.startswith("-"):
            verb.refuse(word, "one word too many", f"see `{verb.prog} --help`; a name with blanks goes in quotes")
        option = word.split("=")[0]
        if here := known_here(option):
            verb.refuse(option, "a flag of the reference pix2pix", f"write {here}")
        verb.refuse(option, "no such option", did_you_mean(option, verb.options_known(), f"see `{verb.prog} --help`"))
    _refuse_nothing(options, getattr(options, "parser", parser))
    return options


def _refuse_nothing(options: argparse.Namespace, verb: Parser) -> None:
    """An empty word would be the current folder, and comes from a variable of the shell that is not set."""
    for action in verb._actions:
        value = getattr(options, action.dest, None)
        if action.dest != "series" and (value == "" or (isinstance(value, list) and "" in value)):  # a UID may be blank
            name = action.option_strings[0] if action.option_strings else str(action.metavar or action.dest)
            verb.refuse(name, "an empty word", "write a name; or is a variable of the shell not set?")


def add_verb(
    verbs: "argparse._SubParsersAction[Parser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str,
    examples: Sequence[str],
) -> Parser:
    """A verb with its help and the options that all verbs have.

    Args:
        verbs: What `add_subparsers` gave.
        name: The word.
        run: Does the work and returns the exit code.
        summary: One line for the list of verbs.
        description: What it does, some lines.
        examples: Command lines, each beginning with `medp2p`.
    """
    parser = verbs.add_parser(
        name,
        help=summary,
        description=description,
        epilog="\n".join(["Examples:", *(f"  {line}" for line in examples)]),
        formatter_class=Help,
        allow_abbrev=False,
        add_help=False,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_common(parser: Parser) -> None:
    """The options that all verbs have; called last, so that help ends with them."""
    group = parser.add_argument_group("common options")
    group.add_argument("-h", "--help", action="help", help="show this and end")
    group.add_argument("-q", "--quiet", action="store_true", help="say errors only")
    group.add_argument("-v", "--verbose", action="store_true", help="say more")
    group.add_argument("--debug", action="store_true", help="show where in the code an error came from")


def add_overwrite(parser: Parser, what: str) -> None:
    """`--overwrite` of a verb that writes."""
    parser.add_argument("--overwrite", action="store_true", help=f"replace {what}; nothing else is touched")


def add_json(parser: Parser) -> None:
    """`--json` of a verb whose result programs read."""
    parser.add_argument("--json", action="store_true", help="the result as strict JSON on stdout")


def add_series(parser: "argparse._ActionsContainer") -> None:
    """`--series` of a verb that reads scans."""
    parser.add_argument("--series", metavar="UID", help="which series, where a DICOM folder holds several")


def add_set(parser: Parser) -> None:
    """`--set` of a verb that takes a configuration."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=VALUE",
        help="replace a key of the configuration; may be repeated",
    )  # fmt: skip


def add_device(parser: Parser, *, precision: bool = True) -> None:
    """`--device` and `--precision`."""
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps (default: auto)"
    )
    if precision:
        parser.add_argument(
            "--precision", default="auto", choices=("auto", "fp32", "bf16"),
            help="auto (what the model was validated in), fp32 or bf16 (default: auto)",
        )  # fmt: skip


def add_many(parser: Parser) -> None:
    """How many cases are shared out."""
    group = parser.add_argument_group("many cases")
    group.add_argument("--workers", type=whole_number(1), default=1, metavar="N", help="processes at once (default: 1)")
    group.add_argument("--shard", type=shard, metavar="i/n", help="only part i of n of the cases, i from 1 to n")
    group.add_argument("--cluster", metavar="WHERE", help="slurm, or the address of a dask scheduler")


def whole_number(least: int) -> Callable[[str], int]:
    """A type for options: a whole number of at least so much."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or not text.strip("+-").isascii() or len(text) > 18:
            wrong = (
                f"no such number (found {text!r}, expected a whole number from {least} on). Fix: write {least} or more"
            )
            raise argparse.ArgumentTypeError(wrong)
        return value

    return number


def shard(text: str) -> str:
    """A type for options: `i/n` with i from 1 to n."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        wrong = f"no part of the cases (found {text!r}, expected i/n with i from 1 to n)"
        raise argparse.ArgumentTypeError(f"{wrong}. Fix: write 1/4 for the first of four")
    return text


def _in_our_words(message: str, parser: Parser) -> tuple[str, str, str]:
    """Argument, cause and cure out of a message of argparse."""
    fix = f"see `{parser.prog} --help`"
    if required := re.match(r"the following arguments are required: (.*)", message):
        first = required[1].split(", ")[0]
        if verbs := _verbs_of(parser):
            return first, "it is missing", f"write one of {', '.join(verbs)}; {fix}"
        return first, "it is missing", f"write {required[1]}; {fix}"
    named = re.match(r"argument ([^:]+): (.*)", message, re.DOTALL)
    if not named:
        return parser.prog, message, fix
    argument, cause = named[1], named[2]
    if chosen := re.match(r"invalid choice: '?(.*?)'? \(choose from (.*)\)", cause):
        known = re.findall(r"[\w.-]+", chosen[2])
        cause = f"no such {'verb' if argument in ('VERB', 'WHAT') else 'value'} (found {chosen[1]})"
        return argument, cause, did_you_mean(chosen[1], known, f"choose one of {', '.join(known)}")
    cause, _, own_fix = cause.partition(". Fix: ")
    return argument, cause, own_fix or fix


def _verbs_of(parser: Parser) -> list[str]:
    """The verbs that a parser has below it."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [name for group in groups for name in group.choices]
