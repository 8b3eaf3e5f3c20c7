"""Sending, where whoever is called does not answer."""

import signal
import socket
import threading

import pytest

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")

from pynetdicom.dul import DULServiceProvider

from medp2p.node.peer import Peer
from medp2p.node.sending import send
from tests.node.network import wait_for


class Interrupted(BaseException):
    pass


def interrupt(*_: object) -> None:
    raise Interrupted


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that send signals")
def test_interrupted_while_it_calls_it_leaves_no_thread_for_which_the_program_would_wait(tmp_path) -> None:
    before = signal.signal(signal.SIGALRM, interrupt)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        try:
            signal.setitimer(signal.ITIMER_REAL, 1.0)
            with pytest.raises(Interrupted):
                send([tmp_path], Peer("SILENT", "127.0.0.1", silent.getsockname()[1]), title="MEDP2P")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        wait_for(lambda: not any(isinstance(thread, DULServiceProvider) for thread in threading.enumerate()), 20)
