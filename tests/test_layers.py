"""Imports point down the layers, in no circle; each heavy library has its room."""

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "medp2p"
LAYERS = (
    {"errors", "cores", "nearest", "_version"},
    {"affine", "percentiles", "volume", "regions", "picture"},
    {"body", "placement", "many"},
    {"config", "io"},
    {"device", "networks", "losses", "data", "preparation"},
    {"evaluation", "translation"},
    {"training", "node"},
    {"checking", "describing"},
    {""},
    {"cli"},
    {"__main__"},
)
"""From the ground up; a room may import from its own layer and those before it. The empty name is the public face."""
ROOMS_OF = {
    "monai": ("data.transforms", "evaluation"),
    "lightning": ("training",),
    "lightning_fabric": ("training",),
    "torch": ("device", "networks", "losses", "data", "evaluation", "translation", "training"),
    "SimpleITK": ("volume", "io", "preparation"),
    "pydicom": ("io", "preparation"),
    "highdicom": ("io",),
    "distributed": ("many",),
    "pynetdicom": ("node",),
    "argparse": ("cli",),
}


@cache
def modules() -> dict[str, Path]:
    """The package's modules by their name without `medp2p.`; the package itself has an empty name."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


@cache
def imported(name: str) -> frozenset[str]:
    """Full names of everything that a module imports, inside functions too."""
    found, path = set(), modules()[name]
    package = ["medp2p", *filter(None, name.split("."))]
    package = package if path.name == "__init__.py" else package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{source}.{alias.name}" for alias in node.names}
    return frozenset(found)


@cache
def own(name: str) -> frozenset[str]:
    """The modules of the package that a module imports."""
    targets = set()
    for full in imported(name):
        if full.split(".")[0] == "medp2p":
            inside = full.removeprefix("medp2p").removeprefix(".")
            targets |= {inside} if inside in modules() else {inside.rpartition(".")[0]} & modules().keys()
    return frozenset(targets - {name})


def layer(name: str) -> int:
    room = name.split(".")[0]
    return next((number for number, rooms in enumerate(LAYERS) if room in rooms), -1)


def test_every_room_has_a_layer() -> None:
    assert [name for name in modules() if layer(name) < 0] == []


def test_imports_point_down_the_layers() -> None:
    upwards = [f"{name} imports {other}" for name in modules() for other in own(name) if layer(other) > layer(name)]
    assert upwards == []


def test_the_configuration_imports_no_room_that_it_configures() -> None:
    allowed = {"errors", "nearest", "volume", "regions", "picture", "config", "io", "_version"}
    found = {other for name in modules() if name.split(".")[0] == "config" for other in own(name)}
    assert {other for other in found if other.split(".")[0] not in allowed} == set()


def test_no_module_imports_itself_in_a_circle() -> None:
    done: set[str] = set()

    def circle_from(name: str, trail: tuple[str, ...]) -> tuple[str, ...]:
        if name in trail:
            return (*trail[trail.index(name) :], name)
        if name in done:
            return ()
        found = next((circle for other in sorted(own(name)) if (circle := circle_from(other, (*trail, name)))), ())
        done.add(name)
        return found

    assert [" -> ".join(circle) for name in modules() if (circle := circle_from(name, ()))] == []


@pytest.mark.parametrize("library", ROOMS_OF)
def test_a_library_is_named_in_its_rooms_only(library: str) -> None:
    def at_home(name: str) -> bool:
        return any(name == room or name.startswith(f"{room}.") for room in ROOMS_OF[library])

    found = [name for name in modules() if any(full.split(".")[0] == library for full in imported(name))]
    assert [name for name in found if not at_home(name)] == []


def test_only_one_module_of_training_names_the_engine() -> None:
    found = [name for name in modules() if any(full.startswith("lightning") for full in imported(name))]
    assert len(found) <= 1
