"""`medp2p config`."""

import json
from collections.abc import Callable
from pathlib import Path

from medp2p.config import shipped, shipped_names
from tests.conftest import Answer

Command = Callable[..., Answer]
SOUND = "data: {sources: mr, target: ct, folder: somewhere}\n"


def test_new_prints_a_shipped_configuration_as_it_is(medp2p: Command) -> None:
    answer = medp2p("config", "new", "mr2ct")
    assert (answer.code, answer.out, answer.err) == (0, shipped("mr2ct"), "")


def test_new_refuses_an_unknown_name(medp2p: Command) -> None:
    answer = medp2p("config", "new", "mr2c")
    assert (answer.code, answer.out) == (2, "")
    assert answer.errors == [
        'error: NAME: no shipped configuration has this name (found "mr2c"). Fix: did you mean `mr2ct`?'
    ]


def test_show_prints_what_can_be_read_again(medp2p: Command, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(SOUND)
    first = medp2p("config", "show", tmp_path / "run.yaml", "--set", "training.learning_rate=0.0005")
    assert "learning_rate: 0.0005 " in first.out
    (tmp_path / "again.yaml").write_text(first.out)
    assert medp2p("config", "show", tmp_path / "again.yaml").out == first.out


def test_show_says_all_faults_at_once(medp2p: Command, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(SOUND + "training:\n  epoks: 1\n  seed: x\n")
    answer = medp2p("config", "show", tmp_path / "run.yaml", "--set", "los.l1_weight=1")
    assert (answer.code, answer.out) == (2, "")
    starts = [line.split(": ")[1:3] for line in answer.errors]
    assert starts == [
        ["--set los.l1_weight", "los"],
        [f"{tmp_path}/run.yaml:3", "training.epoks"],
        [f"{tmp_path}/run.yaml:4", "training.seed"],
    ]


def test_the_schema_is_strict_json(medp2p: Command) -> None:
    schema = json.loads(medp2p("config", "schema").out, parse_constant=lambda name: 1 / 0)
    assert schema["required"] == ["data"]


def test_help_names_every_shipped_configuration(medp2p: Command) -> None:
    assert f"Names: {', '.join(shipped_names())}." in medp2p("config", "new", "--help").out
