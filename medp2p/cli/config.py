"""`medp2p config new | show | schema`."""

import argparse
import json

from medp2p.cli.messages import say_text
from medp2p.cli.parser import Parser, add_common, add_set, add_verb

DESCRIPTION = """Configurations: one to start from, one with everything filled in, and the schema for editors.

  new NAME       prints a shipped configuration with all its comments
  show CONFIG    prints a configuration with everything filled in
  schema         prints the JSON schema"""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb and those under it."""
    parser = add_verb(
        verbs, "config", _never, summary="start, show or describe configurations", description=DESCRIPTION,
        examples=["medp2p config new mr2ct > my.yaml", "medp2p config show my.yaml"],
    )  # fmt: skip
    inner = parser.add_subparsers(
        title="what", metavar="WHAT", dest="what", required=True, parser_class=Parser, prog=parser.prog
    )
    _add_new(inner)
    _add_show(inner)
    _add_schema(inner)
    add_common(parser)


def _add_new(inner: "argparse._SubParsersAction[Parser]") -> None:
    parser = add_verb(
        inner, "new", _new, summary="a shipped configuration", examples=["medp2p config new mr2ct > my.yaml"],
        description="Prints a shipped configuration with all its comments, to start from.\nNames: demo, facades, "
        "mr2ct, radiograph, synthrad2023, synthrad2025, t2flair.\n\nRelative paths in it are relative to the file: "
        "those of these lead from a folder such as configs/ to data/ beside it.",
    )  # fmt: skip
    parser.add_argument("name", nargs="?", metavar="NAME", help="mr2ct, t2flair, …")
    add_common(parser)


def _add_show(inner: "argparse._SubParsersAction[Parser]") -> None:
    parser = add_verb(
        inner, "show", _show, summary="a configuration with everything filled in",
        description="Prints a configuration with everything filled in; no scan is looked at.",
        examples=["medp2p config show my.yaml", "medp2p config show my.yaml --set training.epochs=20"],
    )  # fmt: skip
    parser.add_argument("config", metavar="CONFIG", help="configuration, a YAML file")
    add_set(parser)
    add_common(parser)


def _add_schema(inner: "argparse._SubParsersAction[Parser]") -> None:
    parser = add_verb(
        inner, "schema", _schema, summary="the JSON schema for editors",
        description="Prints the JSON schema of a configuration. Editors complete and check with it where the first\n"
        "line of a configuration is  # yaml-language-server: $schema=medp2p.schema.json",
        examples=["medp2p config schema > medp2p.schema.json"],
    )  # fmt: skip
    add_common(parser)


def _never(options: argparse.Namespace) -> int:
    options.parser.refuse("WHAT", "it is missing", "write new, show or schema")
    return 2


def _new(options: argparse.Namespace) -> int:
    from medp2p.config import shipped, shipped_names

    if options.name is None:
        options.parser.refuse("NAME", "it is missing", f"write one of {', '.join(shipped_names())}")
    say_text(shipped(options.name))
    return 0


def _show(options: argparse.Namespace) -> int:
    from medp2p.config import load_config, to_yaml

    say_text(to_yaml(load_config(options.config, options.set)))
    return 0


def _schema(options: argparse.Namespace) -> int:
    from medp2p.config import json_schema

    say_text(json.dumps(json_schema(), indent=2, allow_nan=False))
    return 0
