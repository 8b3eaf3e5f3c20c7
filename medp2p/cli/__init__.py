"""The command line: parse, call the library, print. Nothing heavy is loaded before a verb needs it."""

from medp2p.cli.command import main

__all__ = ["main"]
