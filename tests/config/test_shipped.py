"""The configurations that come with medp2p."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medp2p.config import Config, config_from_mapping, json_schema, load_config, shipped, shipped_names, to_yaml
from medp2p.config.shipped import shipped_folder
from medp2p.errors import ConfigError

NAMES = ("demo", "facades", "mr2ct", "radiograph", "synthrad2023", "synthrad2025", "t2flair")
SCHEMA = shipped_folder() / "medp2p.schema.json"


def test_these_are_shipped() -> None:
    assert shipped_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_sound_and_begins_with_its_schema(name: str) -> None:
    config = load_config(shipped_folder() / f"{name}.yaml")
    assert config.data.folder is not None
    assert config.data.folder.is_relative_to(Path(__file__).parents[2] / "data")
    assert shipped(name).startswith("# yaml-language-server: $schema=medp2p.schema.json\n")


def test_the_schema_beside_them_is_the_present_one() -> None:
    assert json.loads(SCHEMA.read_text()) == json_schema()


def check_jsonschema(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("check-jsonschema")
    return subprocess.run([command, "--schemafile", SCHEMA, *paths], capture_output=True, text=True, check=False)


def test_editors_find_nothing_wrong_with_them() -> None:
    result = check_jsonschema(*(shipped_folder() / f"{name}.yaml" for name in NAMES))
    assert result.returncode == 0, result.stdout


def test_editors_find_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("data: {sources: mr, target: ct}\ntraining: {epochs: -1, batchsize: 3}\n")
    said = check_jsonschema(path).stdout
    assert "batchsize" in said
    assert "epochs" in said


def test_mr2ct_shows_every_key_with_its_default() -> None:
    text = shipped("mr2ct")
    written = load_config(shipped_folder() / "mr2ct.yaml")
    bare = config_from_mapping({"data": {"sources": "mr", "target": "ct", "folder": "x"}})
    for section in Config.model_fields:
        if section not in ("data", "regions"):
            assert getattr(written, section) == getattr(bare, section), section
    keys = set(re.findall(r"^ *(\w+):", to_yaml(written), re.MULTILINE))
    assert keys <= set(re.findall(r"(\w+):", text))


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="`mr2ct`"):
        shipped("mr2ctt")
