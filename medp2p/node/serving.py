"""The node at work: what has come in is translated and sent on, one series after the other, until told to stop."""

import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from os import PathLike
from pathlib import Path

from medp2p.errors import ConfigError, Medp2pError
from medp2p.node.arrivals import Arrivals
from medp2p.node.jobs import Job, Jobs, reason_of
from medp2p.node.limits import Limits
from medp2p.node.peer import Peer, checked_title
from medp2p.node.spool import opened
from medp2p.node.translating import source_of, translate_series
from medp2p.translation import Translator
from medp2p.translation.model_file import MODEL_FILE, model_path

logger = logging.getLogger(__name__)

PathLike_ = str | PathLike[str]
Progress = Callable[[int, int, str], None]
_LOOK_EVERY_S = 0.25


def serve(
    run: PathLike_,
    *,
    port: int,
    send: str | Peer,
    host: str = "127.0.0.1",
    title: str = "MEDP2P",
    allow: Sequence[str] = (),
    spool: PathLike_ | None = None,
    keep_identity: bool = False,
    device: str = "auto",
    precision: str = "auto",
    limits: Limits | None = None,
    progress: Progress | None = None,
    listens: Callable[[int], object] | None = None,
    sent: Callable[[str, int], object] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Receive series, translate them and send the derived series on, until told to stop.

    Args:
        run: A run folder, or its `generator.safetensors` alone; the model has one source.
        port: TCP port to listen on; 0 takes a free one.
        send: Where the derived series go, `AET@host:port`.
        host: Address to listen on.
        title: The node's own application entity title.
        allow: Titles that may call; none means all.
        spool: Private folder for what is not yet sent; default `default_spool(run)`.
        keep_identity: Pass the patient's identity on; else the derived series carry a pseudonym.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: `auto`, `fp32` or `bf16`.
        limits: How much is taken in.
        progress: Called with done, total and what is being done.
        listens: Called with the port as soon as images are taken.
        sent: Called with the name of a series in the spool and the number of images, once they have arrived.
        stop: Set it to end; what was not sent stays in the spool.

    Raises:
        ConfigError: The extra `node` is missing, an address or a title cannot be used.
        ModelError: The model cannot be used, or has several sources.
        Medp2pError: The spool cannot be used.
    """
    _need_extra()
    from medp2p.node.receiving import listening

    peer = send if isinstance(send, Peer) else Peer.parse(send)
    own, allowed = checked_title(title, "--aet"), [checked_title(one, "--allow") for one in allow]
    _warn_of_strangers(host, allowed)
    translator = Translator.load(run, device=device, precision=precision)
    source_of(translator)
    ended, folder = stop or threading.Event(), default_spool(run) if spool is None else Path(spool)
    with opened(folder, limits or Limits()) as kept:
        arrivals, jobs = Arrivals(kept), Jobs(kept)
        work = partial(_work, translator, jobs, peer, own, keep_identity, progress, sent)
        with listening(kept, arrivals, host=host, port=port, title=own, allow=allowed) as taken:
            logger.info("%s listens on %s, port %d; its spool is %s", own, host, taken, folder)
            if listens:
                listens(taken)
            while not ended.is_set():
                arrivals.take_up()
                job = jobs.next()
                if job is None:
                    ended.wait(_LOOK_EVERY_S)
                else:
                    work(job)


def default_spool(run: PathLike_) -> Path:
    """The spool of a run's node where none is named: a hidden folder beside the run folder, or beside the model file.

    Examples:
        >>> default_spool("runs/mr2ct").as_posix()
        'runs/.medp2p-spool-mr2ct'
    """
    path = Path(run)
    named = path if path.name not in (MODEL_FILE, "", "..") else model_path(path).resolve().parent
    return named.parent / f".medp2p-spool-{named.name.removesuffix('.safetensors')}"


def _work(
    translator: Translator,
    jobs: Jobs,
    peer: Peer,
    title: str,
    keep_identity: bool,
    progress: Progress | None,
    sent: Callable[[str, int], object] | None,
    job: Job,
) -> None:
    """One series as far as it comes; whatever is wrong with it stops no other."""
    from medp2p.node.sending import RefusedError, UnreachableError
    from medp2p.node.sending import send as send_on

    began = time.monotonic()
    try:
        folders = translate_series(translator, job, keep_identity=keep_identity, progress=progress)
        count = send_on(folders, peer, title=title)
    except UnreachableError as error:
        jobs.postpone(job, str(error))
    except RefusedError as error:
        jobs.fail(job, str(error))
    except Medp2pError as error:
        put_off = jobs.fail if error.exit_code == Medp2pError.exit_code else jobs.postpone_for_machine
        put_off(job, reason_of(error.faults[0]))
    except Exception as error:  # a service goes on; what an unknown error says may name a patient
        logger.debug("series %s", job.name, exc_info=True)
        jobs.postpone_for_machine(job, f"{type(error).__name__} while it was translated or sent")
    else:
        jobs.finish(job)
        logger.info("series %s: %d images sent to %s after %.1f s", job.name, count, peer.title,
                    time.monotonic() - began)  # fmt: skip
        if sent:
            sent(job.name, count)


def _need_extra() -> None:
    if find_spec("pynetdicom") is None:
        raise ConfigError(None, "pynetdicom is not installed", key="node", fix="pip install 'medp2p[node]'")


def _warn_of_strangers(host: str, allow: Sequence[str]) -> None:
    try:
        at_home = ipaddress.ip_address(host).is_loopback
    except ValueError:
        at_home = host == "localhost"
    if not at_home and not allow:
        logger.warning("whoever reaches %s may send to this node: restrict the callers with --allow", host)
