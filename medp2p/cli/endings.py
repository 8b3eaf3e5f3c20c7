"""How a command ends that could not be finished: one line for each fault, and the exit code."""

import errno
import traceback

from medp2p.cli.messages import say_faults, say_on_stderr
from medp2p.cli.signals import Stopped
from medp2p.errors import Fault, Medp2pError, fault

MACHINE_FAULTS = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EFBIG: "raise the limit on file size, or write to another disk",
    errno.EROFS: "write to another disk",
    errno.EIO: "check the disk",
    errno.EMFILE: "raise the limit: ulimit -n 1024",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "close other programs, or ask for fewer slices at once",
}
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def exit_code_of(error: BaseException, *, debug: bool) -> int:
    """Say what ended a command, and what it ends with."""
    if isinstance(error, BrokenPipeError):
        return 0  # whoever read the results has seen enough, as `| head` does
    if debug:
        for line in traceback.format_exception(error):
            say_on_stderr_as_it_is(line)
    if isinstance(error, Stopped):
        say_on_stderr(f"stopped by {error}; the same command goes on with what is missing")
        return error.exit_code
    if isinstance(error, Medp2pError):
        say_faults(error.faults)
        return error.exit_code
    if isinstance(error, PermissionError) and isinstance(error.filename, str):
        from medp2p.io.machine import file_error  # here, so that `--help` does not wait for it

        refused = file_error(error.filename, error, doing="used")
        say_faults(refused.faults)
        return refused.exit_code
    say_faults([_unforeseen(error, debug=debug)])
    return 1


def say_on_stderr_as_it_is(text: str) -> None:
    """Lines of a traceback, each as one line."""
    for line in text.rstrip("\n").split("\n"):
        say_on_stderr(line)


def _unforeseen(error: BaseException, *, debug: bool) -> Fault:
    """A fault of the machine, or of medp2p itself."""
    said = str(error).strip().split("\n")[0]
    if isinstance(error, MemoryError) or any(words in str(error).lower() for words in _OUT_OF_MEMORY):
        fix = "close other programs, ask for fewer slices at once, or take a machine with more"
        return fault(None, f"there is not enough memory{': ' + said if said else ''}", fix=fix, key="memory")
    if isinstance(error, UnicodeEncodeError):
        fix = "set LC_ALL=C.UTF-8, or rename the file"
        return fault(None, "a name has letters that the locale lacks", found=repr(error.object), fix=fix, key="locale")
    if isinstance(error, OSError) and error.errno in MACHINE_FAULTS:
        path = error.filename if isinstance(error.filename, (str, bytes)) else None
        place = path.decode(errors="replace") if isinstance(path, bytes) else path
        return fault(place, error.strerror or said, fix=MACHINE_FAULTS[error.errno], key=None if place else "disk")
    seen = "" if debug else "; add --debug to see where"
    fix = f"this should not happen: report it with the command that was run{seen}"
    return fault(None, f"{type(error).__name__}: {said or 'nothing said'}", fix=fix, key="medp2p")
