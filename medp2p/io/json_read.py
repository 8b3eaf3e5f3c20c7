"""JSON that medp2p wrote itself, read again; what is not there or damaged is none, and raises nothing."""

import json
from pathlib import Path
from typing import Any

STATEMENT_BYTES = 1 << 20
"""What lies beside an output and says what made it is smaller."""


def read_object(path: Path, *, most_bytes: int | None = None) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no such file, or it holds something else.

    Args:
        path: The file; nothing but a regular one is opened.
        most_bytes: A larger file is none of ours, and is not read.

    Examples:
        >>> read_object(Path("no such file.json")) is None
        True
    """
    try:
        if not path.is_file() or (most_bytes is not None and path.stat().st_size > most_bytes):
            return None
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
