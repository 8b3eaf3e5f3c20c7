"""The configurations that come with medp2p, to start from."""

from pathlib import Path

from medp2p.config.strict_yaml import shown
from medp2p.errors import ConfigError
from medp2p.nearest import did_you_mean

SUFFIX = ".yaml"


def shipped_folder() -> Path:
    """Where they are: in the installed package, or at the root of a checkout."""
    package = Path(__file__).parents[1]
    inside, beside = package / "configs", package.parent / "configs"
    return inside if inside.is_dir() else beside


def shipped_names() -> tuple[str, ...]:
    """The names of all of them, in alphabetical order.

    Examples:
        >>> "mr2ct" in shipped_names()
        True
    """
    return tuple(sorted(path.stem for path in shipped_folder().glob(f"*{SUFFIX}")))


def shipped(name: str) -> str:
    """The text of one, with all its comments.

    Raises:
        ConfigError: There is none of that name.
    """
    known = shipped_names()
    if name not in known:
        fix = did_you_mean(name, known, f"choose one of {', '.join(known) or 'none: the installation is damaged'}")
        raise ConfigError(None, "no shipped configuration has this name", found=shown(name), fix=fix, key="NAME")
    return (shipped_folder() / f"{name}{SUFFIX}").read_text(encoding="utf-8")
