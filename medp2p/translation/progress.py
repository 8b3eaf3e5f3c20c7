"""How far a translation is: what whoever waits for it is told."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with parts done, parts in all and what is being done."""
