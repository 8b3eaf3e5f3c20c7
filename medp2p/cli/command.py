"""`medp2p VERB …`: from the words on the command line to an exit code."""

import atexit
import gc
import sys
from collections.abc import Sequence

from medp2p.cli.endings import exit_code_of
from medp2p.cli.messages import messages_on_stderr, silence_stdout, use_any_terminal
from medp2p.cli.parser import parse
from medp2p.cli.signals import Stopped, signals_stop_the_work
from medp2p.cli.verbs import build_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after `medp2p`; those of the process where None.

    Returns:
        0 done · 2 refused input, configuration or usage · 1 our fault, the machine's, or training diverged ·
        130 or 143 interrupted.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    _end_at_once()
    use_any_terminal()
    try:
        options = parse(build_parser(), words)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 2
    except Exception as error:  # help that could not be written
        silence_stdout()
        return exit_code_of(error, debug="--debug" in words)
    with messages_on_stderr(quiet=options.quiet, verbose=options.verbose or options.debug), signals_stop_the_work():
        try:
            code: int = options.run(options)
            sys.stdout.flush()
        except (Exception, Stopped) as error:
            code = exit_code_of(error, debug=options.debug)
            _clear_away()
            silence_stdout()
    return code


def _end_at_once() -> None:
    """Lets Python's last collection pass over all that is loaded: of torch's million objects none would be freed."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def _clear_away() -> None:
    """Removes what was being written when a signal came; nothing is loaded for it."""
    temporary = sys.modules.get("medp2p.io.temporary")
    if temporary:
        temporary.sweep_own()
