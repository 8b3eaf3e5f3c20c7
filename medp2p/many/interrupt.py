"""Ctrl-C reaches every process of a terminal: workers leave it to the one that started them, which ends them.

Must be imported only where workers were asked for.
"""

import signal
import threading
from typing import Any

from distributed import WorkerPlugin


class IgnoreInterrupt(WorkerPlugin):  # type: ignore[misc, unused-ignore]  # untyped where absent
    """What each worker does as it starts."""

    name = "medp2p-ignore-interrupt"

    def setup(self, worker: Any) -> None:
        """Ignores SIGINT from now on; plugins are set up in the main thread, where alone that can be done."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
