"""What the documents show is so: code runs, commands parse and run, links lead somewhere, tables name what there is."""

import argparse
import re
import runpy
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from medp2p.config.schema import Config
from medp2p.evaluation import protocols

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)]
SMALL = [
    "preparation.spacing_mm=[4.0,4.0]", "preparation.size=[128,128]", "generator.kind=unet_128", "generator.channels=2",
    "discriminator.channels=2", "discriminator.layers=1", "training.epochs=1", "training.decay_epochs=0",
    "training.batch_size=8", "training.precision=fp32", "data.split.validation=0.25", "data.split.test=0.25",
]  # fmt: skip
"""So that a command of a page that trains takes seconds."""


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language that are not marked `no-test`."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return fence.findall(page.read_text(encoding="utf-8"))


def commands(page: Path, language: str = "console") -> list[list[str]]:
    """The words of every line `$ medp2p …`."""
    lines = [line for block in blocks(page, language) for line in block.splitlines()]
    words = [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ medp2p ")]
    return [line[1 : line.index(">") if ">" in line else None] for line in words]


PYTHON = [page for page in PAGES if blocks(page, "python")]
CONSOLE = [page for page in PAGES if commands(page)]


@pytest.fixture(scope="module")
def desk(heads: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the pages assume it: configurations, synthetic heads, and a run trained on them."""
    from medp2p.cli import main

    desk = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "configs", desk / "configs")
    for cohort in ("mr2ct", "demo"):
        shutil.copytree(heads, desk / "data" / cohort)
    run = [
        "train",
        str(desk / "configs" / "mr2ct.yaml"),
        "--run",
        str(desk / "runs" / "mr2ct"),
        "--device",
        "cpu",
        "-q",
    ]
    assert main(run + [word for value in SMALL for word in ("--set", value)]) == 0
    return desk


@pytest.fixture
def workplace(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the current folder."""
    shutil.copytree(desk, tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "desk"


@pytest.mark.slow
@pytest.mark.parametrize("page", PYTHON, ids=named)
def test_the_code_of_a_page_runs_from_top_to_bottom(page: Path, workplace: Path) -> None:
    code = "\n".join(blocks(page, "python"))
    (workplace / "page.py").write_text(code, encoding="utf-8")
    runpy.run_path(str(workplace / "page.py"))


@pytest.mark.slow
@pytest.mark.parametrize("page", CONSOLE, ids=named)
def test_the_commands_of_a_page_run_one_after_the_other(page: Path, workplace: Path, medp2p: Callable) -> None:
    shutil.copy(workplace / "data/mr2ct/head_001/mr.nii.gz", workplace / "new_patient_mr.nii.gz")
    for words in commands(page):
        if words[0] == "phantom":
            continue  # the heads are there already, smaller
        if words[0] == "train":
            words += [word for value in SMALL for word in ("--set", value)]
            words += [] if "--resume" in words else ["--overwrite"]
        answer = medp2p(*words)
        assert (answer.code, answer.errors) == (0, []), " ".join(words)


def parser_of(verb: list[str]) -> argparse.ArgumentParser:
    """The parser of a verb such as `config new`."""
    from medp2p.cli.verbs import build_parser

    parser = build_parser()
    for word in verb:
        parser = verbs_of(parser)[word]
    return parser


def verbs_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    groups = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(groups[0]) if groups else {}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_of_a_page_is_one(page: Path) -> None:
    for words in [*commands(page), *commands(page, "console no-test")]:
        if words != ["--version"]:
            parser_of([]).parse_args(words)


def test_the_page_of_commands_names_every_verb_and_every_option() -> None:
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    everywhere = {"-h", "--help", "-q", "--quiet", "-v", "--verbose", "--debug"}
    for verb, parser in verbs_of(parser_of([])).items():
        section = re.search(rf"^## [^\n]*medp2p {verb}\b.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, f"no section for {verb}"
        parsers = [parser, *verbs_of(parser).values()]
        options = {name for one in parsers for action in one._actions for name in action.option_strings[-1:]}
        short = {name for one in parsers for action in one._actions for name in action.option_strings}
        written = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", section[0]))
        missing = {name for name in options - everywhere if not {name, *aliases(parsers, name)} & written}
        assert (verb, missing, written - short) == (verb, set(), set())


def aliases(parsers: list[argparse.ArgumentParser], name: str) -> Iterator[str]:
    for parser in parsers:
        for action in parser._actions:
            if name in action.option_strings:
                yield from action.option_strings


def test_the_page_of_the_configuration_is_that_of_the_schema() -> None:
    page = runpy.run_path(str(ROOT / "docs/configuration_page.py"))["page"]()
    written = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
    assert written == page, "run `python docs/configuration_page.py`"


def test_the_page_of_errors_is_that_of_the_code() -> None:
    page = runpy.run_path(str(ROOT / "docs/errors_page.py"))["page"]()
    written = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    assert written == page, "run `python docs/errors_page.py`"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=named)
def test_the_configurations_of_a_page_name_sections_and_keys_that_exist(page: Path) -> None:
    for block in blocks(page, "yaml"):
        for section, keys in YAML(typ="safe", pure=True).load(block).items():
            assert section in Config.model_fields
            known = getattr(Config.model_fields[section].annotation, "model_fields", keys)
            assert set(keys) <= set(known)


@pytest.mark.parametrize("name", protocols)
def test_every_protocol_has_its_page_with_its_range(name: str) -> None:
    page = (ROOT / f"docs/reference/protocols/{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    assert all(
        words in page.lower() for words in ("mae", "psnr", "ssim", "to quote it" if name != "monai" else "source")
    )
    window = protocols[name].window or ()
    assert all(f"{number:g}".replace("-", "−") in page for number in (*window, np.ptp(window or (0, 0))))
    overview = (ROOT / "docs/reference/protocols.md").read_text(encoding="utf-8")
    assert f"(protocols/{name}.md)" in overview


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_make_targets_of_a_page_exist(page: Path) -> None:
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`?\bmake ([a-z]+)\b`", page.read_text(encoding="utf-8"))) <= rules
    shown = [line for block in blocks(page, "console") for line in block.splitlines()]
    assert {line.split()[2] for line in shown if line.startswith("$ make ")} <= rules


def test_the_places_of_where_to_change_exist() -> None:
    text = (ROOT / "docs/where-to-change.md").read_text(encoding="utf-8")
    places = re.findall(r"`((?:medp2p|docs|configs|tests)/[\w./-]*)`", text)
    assert [place for place in places if not (ROOT / place).exists()] == []
