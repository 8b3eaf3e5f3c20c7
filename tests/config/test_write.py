"""A configuration as text says what the configuration says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.config import Config, config_from_mapping, json_schema, load_config, read_strict_yaml, to_yaml

from .conftest import sound

CASES = [
    {
        "id": "007",
        "split": "train",
        "mr": "a b.nii.gz",
        "ct": "c#d.nii.gz",
        "regions": ["x", "y"],
        "allow": ["hu_range"],
    }
]
WORDS = st.text(min_size=1, max_size=12).filter(lambda word: word.isprintable() and word.strip() == word)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"data": {"sources": "mr", "target": "ct", "cases": CASES}, "regions": None},
        {"data": {"sources": "mr", "target": "ct", "cases": "cases.csv"}, "regions": None},
        {"regions": {"names": "labels.yaml"}, "preparation": {"spacing_mm": None}},
        {"data": {**sound()["data"], "patient": r"^(patient\d+)_'\"#: "}},
    ],
)
def test_reading_what_was_written_gives_the_same(
    load: Callable[..., Config], tmp_path: Path, changed: dict[str, object]
) -> None:
    config = load("training.learning_rate=2e-5", **changed)
    path = tmp_path / "again.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(path) == config


@given(
    names=st.dictionaries(
        st.integers(0, 2**31 - 1).map(str), WORDS.filter(lambda w: w not in {"volume", "body", "weighted", "outside"})
    )
)
def test_any_names_of_regions_come_back(names: dict[str, str]) -> None:
    config = config_from_mapping({**sound(), "regions": {"names": names}})
    text = to_yaml(config)
    assert config_from_mapping({**sound(), "regions": _read(text)["regions"]}) == config


def _read(text: str) -> dict[str, dict[str, object]]:
    from medp2p.config.strict_yaml import scan_yaml

    document, faults = scan_yaml(text, "text")
    assert not faults
    assert isinstance(document.content, dict)
    return document.content  # type: ignore[return-value]


def test_without_places_it_can_be_read_again(load: Callable[..., Config], tmp_path: Path) -> None:
    bare = load().without_places()
    path = tmp_path / "again.yaml"
    path.write_text(to_yaml(bare))
    assert load_config(path, places=False) == bare


def test_every_key_is_written_with_what_it_means(load: Callable[..., Config]) -> None:
    text = to_yaml(load())
    for section, content in _read(text).items():
        assert f"{section}:" in text
        assert content
    assert "# epochs at the full learning rate" in text


def test_the_schema_requires_data_alone() -> None:
    schema = json_schema()
    assert schema["required"] == ["data"]
    assert list(schema["properties"]) == list(Config.model_fields)
    json.dumps(schema, allow_nan=False)


def test_every_key_of_the_schema_is_described() -> None:
    schema = json_schema()
    bare = [
        f"{name}.{key}"
        for name, part in {**schema["$defs"], "Config": schema}.items()
        for key, field in part.get("properties", {}).items()
        if "description" not in field
    ]
    assert bare == []


def test_a_file_that_was_written_is_strict_yaml(load: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(to_yaml(load()))
    assert read_strict_yaml(tmp_path / "again.yaml").lines["data",] == 1


def test_without_places_a_list_of_cases_can_be_read_again(tmp_path: Path) -> None:
    case = {"id": "a", "split": "train", "mr": "mr.nii.gz", "ct": "ct.nii.gz"}
    bare = config_from_mapping({"data": {"sources": "mr", "target": "ct", "cases": [case]}}).without_places()
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(bare), encoding="utf-8")
    assert load_config(path, places=False) == bare
