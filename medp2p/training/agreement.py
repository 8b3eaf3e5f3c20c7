"""Refusals of several processes of one training: the first process tells them all, the others keep silent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from medp2p.errors import Fault, Medp2pError
from medp2p.training.engine import Engine


@contextmanager
def in_agreement(engine: Engine) -> Iterator[None]:
    """Work that every process does, refused by all of them where one refuses it; they wait for each other at its end.

    Raises:
        Medp2pError: In the first process with the faults that any process met; in the others, marked as told elsewhere.
    """
    if engine.world_size == 1:
        yield
        return
    refused: Medp2pError | None = None
    try:
        yield
    except Medp2pError as error:
        refused = error
    refusal = refusal_of(engine.gathered(refused), engine.rank)
    if refusal is not None:
        raise refusal


def refusal_of(everyone: Sequence[Medp2pError | None], rank: int) -> Medp2pError | None:
    """What one process raises where these were refused; None where nothing was.

    Args:
        everyone: The refusal of each process, in their order.
        rank: Which process, from 0 on.
    """
    first = next((error for error in everyone if error is not None), None)
    if first is None:
        return None
    if rank > 0:
        mine = everyone[rank] or first
        mine.told_elsewhere = True
        return mine
    told: dict[str, Fault] = {}
    for number, error in enumerate(everyone):
        for fault in error.faults if error is not None else ():
            alone = f" (process {number + 1} of {len(everyone)} met it, and the first did not)" if number else ""
            told.setdefault(str(fault), replace(fault, message=fault.message + alone))
    union = type(first).several(told.values())
    union.exit_code = first.exit_code
    return union
