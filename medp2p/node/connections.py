"""The connections of an application entity, none of which may outlive it."""

import threading

from pynetdicom import AE
from pynetdicom.dul import DULServiceProvider


def end_connections(entity: AE) -> None:
    """Let the threads of an entity's connections end.

    pynetdicom leaves them running where an exception comes while a connection is made or given up, and as they are no
    daemons the program would wait for them for ever.
    """
    for thread in threading.enumerate():
        if isinstance(thread, DULServiceProvider) and thread.assoc.ae is entity:
            thread.kill_dul()
            if thread.socket is not None:
                thread.socket.close()
