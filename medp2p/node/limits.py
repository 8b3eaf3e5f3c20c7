"""How much a node takes from the network, and how long it waits for more."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes and times that bound what senders can do.

    Attributes:
        image_bytes: Of one image object; a message that grows larger ends its association.
        series_images: Image objects of one series.
        spool_bytes: Everything in the spool, failed series among it.
        free_bytes: What must stay free on the disk of the spool.
        settle_s: Seconds without a further image after which a series counts as complete.
        unfinished_s: Seconds after which a series whose sending broke off is put aside.
        retry_s: First and longest wait before a series is sent anew to somebody who cannot be reached.
    """

    image_bytes: int = 512 << 20
    series_images: int = 10_000
    spool_bytes: int = 20 << 30
    free_bytes: int = 1 << 30
    settle_s: float = 5.0
    unfinished_s: float = 600.0
    retry_s: tuple[float, float] = (5.0, 300.0)
