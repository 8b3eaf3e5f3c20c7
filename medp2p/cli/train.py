"""`medp2p train`."""

import argparse
import logging
import time
from typing import TYPE_CHECKING

from medp2p.cli.messages import say_on_stderr, say_result
from medp2p.cli.parser import Parser, add_common, add_device, add_overwrite, add_set, add_verb, whole_number
from medp2p.cli.progress import Progress
from medp2p.cli.signals import exit_code_of_signal
from medp2p.errors import ConfigError, Medp2pError

if TYPE_CHECKING:
    from medp2p.training.interruption import SignalFlag

_MOMENT_S = 20.0
"""How much later than the others one of several processes may see what the first one sees too, on a busy machine."""

DESCRIPTION = """Checks every case first, then trains into a run folder, runs/<name of CONFIG> in the current folder.

A folder that holds a run is refused unless --resume, which goes on exactly where it stopped, or --overwrite, which
trains anew. Ctrl-C, SIGTERM and SIGUSR1 end it with its state saved."""


def add(verbs: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the verb."""
    parser = add_verb(
        verbs, "train", run, summary="learn a translation from paired scans", description=DESCRIPTION,
        examples=[
            "medp2p train configs/mr2ct.yaml",
            "medp2p train configs/facades.yaml",
            "medp2p train configs/mr2ct.yaml --resume",
            "medp2p train configs/mr2ct.yaml --set generator.channels=32 --set training.epochs=20 --run runs/short",
        ],
    )  # fmt: skip
    parser.add_argument("config", metavar="CONFIG", help="configuration, a YAML file; `medp2p config new` makes one")
    parser.add_argument("--run", dest="folder", metavar="DIR", help="the run folder (default: runs/<name of CONFIG>)")
    parser.add_argument("--resume", action="store_true", help="go on where it stopped; begin where nothing was saved")
    add_overwrite(parser, "the run that is in the folder, once every check has passed")
    add_set(parser)
    add_device(parser, precision=False)
    parser.add_argument("--devices", type=whole_number(1), default=1, metavar="N", help="devices at once (default: 1)")
    parser.add_argument("--nodes", type=whole_number(1), default=1, metavar="N", help="machines at once (default: 1)")
    parser.add_argument("--profile", action="store_true", help="say where the time goes, in the log of the run")
    add_common(parser)


def run(options: argparse.Namespace) -> int:
    """Trains; prints the run folder."""
    _refuse_at_once(options)
    from medp2p.training.interruption import Interrupted, SignalFlag

    speaks, stop = _speaks(options), SignalFlag()
    if not speaks:
        logging.getLogger("medp2p").setLevel(logging.ERROR)
        stop.install()  # while torch is loaded too: a launcher that ends this process needs no answer
    from medp2p.training import train

    stop.install()
    try:
        with Progress(quiet=options.quiet or not speaks) as progress:
            made = train(
                options.config,
                run=options.folder,
                resume=options.resume,
                overwrite=options.overwrite,
                set=options.set,
                device=options.device,
                devices=options.devices,
                nodes=options.nodes,
                profile=options.profile,
                progress=progress,
                stop=stop,
            )
    except Medp2pError as refused:
        before_they_met = isinstance(refused, ConfigError) and not speaks  # as a device that is not there is
        if refused.told_elsewhere or (before_they_met and _is_ended_meanwhile(stop)):
            return 0  # as below
        raise
    except Interrupted as told:
        if not speaks:
            return 0  # launchers end all processes where one of them fails, and the main one may not be done yet
        goes_on = "its state is saved, the same command with --resume goes on"
        say_on_stderr(f"{told}; {goes_on if told.saved else 'nothing was trained yet'}")
        return exit_code_of_signal(told.signal)
    if speaks:
        say_result(str(made.folder))
    return 0


def _speaks(options: argparse.Namespace) -> bool:
    """Whether this is the one of several processes that talks: its launcher says so in the environment."""
    from medp2p.training.launched import is_first

    return options.devices * options.nodes == 1 or is_first()


def _is_ended_meanwhile(stop: "SignalFlag") -> bool:
    """Whether the launcher ends this process within a moment, as it does where the first one has said what failed."""
    until = time.monotonic() + _MOMENT_S
    while stop() is None and time.monotonic() < until:
        time.sleep(0.1)
    return stop() is not None


def _refuse_at_once(options: argparse.Namespace) -> None:
    """Before anything heavy is loaded: what is wrong with configuration or folders is said within a second."""
    from medp2p.config import absent, load_config
    from medp2p.training.launched import is_launched

    several = options.devices * options.nodes > 1
    if several and is_launched():
        return  # they meet first, so that one speaks for all
    config = load_config(options.config, options.set)
    if faults := absent(config, resume=options.resume):
        raise ConfigError.several(faults)
    if not several:  # of several processes the first holds the folder
        from medp2p.training.run import refuse_busy, refuse_run_folder, run_folder

        folder = run_folder(options.config, options.folder)
        refuse_busy(folder)
        refuse_run_folder(folder, resume=options.resume, overwrite=options.overwrite)
