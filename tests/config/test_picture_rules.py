"""What pictures alone have, what they cannot have, and what they have by default."""

from typing import Any

import pytest

from medp2p.config import Config, config_from_mapping, missing_data, to_yaml, with_forms
from medp2p.config.strict_yaml import read_strict_yaml
from medp2p.errors import ConfigError
from medp2p.picture import PictureForm

PICTURES = {"kind": "pictures", "sources": "label", "target": "photo", "folder": "/pairs"}


def pictures(*overrides: str, **data: Any) -> Config:
    return config_from_mapping({"data": PICTURES | data}, overrides)


def test_pictures_have_defaults_of_their_own() -> None:
    config = pictures()
    assert config.preparation.spacing_mm is None
    assert not config.preparation.mask_outside_body
    assert config.intensity == {}
    assert (config.data.file_of("label"), config.data.file_of("photo")) == ("label", "photo")


@pytest.mark.parametrize(("override", "key"), [
    ("preparation.plane=coronal", "preparation.plane"),
    ("data.layout=bids", "data.layout"),
    ("preparation.spacing_mm=[1.0,1.0]", "preparation.spacing_mm"),
    ("preparation.context_slices=1", "preparation.context_slices"),
    ("preparation.mask_outside_body=true", "preparation.mask_outside_body"),
    ("preparation.resize=[200,300]", "preparation.resize"),
    ("intensity.photo={kind: window, low: 0, high: 9, hu: true}", "intensity.photo.hu"),
    ("intensity.foto={kind: window, low: 0, high: 9}", "intensity.foto"),
    ("evaluation.protocol=mr", "evaluation.protocol"),
    ("data.side_by_side=[photo,drawing]", "data.side_by_side"),
    ("data.bits={foto: 8}", "data.bits.foto"),
    ("data.bits={photo: 12}", "data.bits.photo"),
    ("data.files={photo: a, body: b}", "data.files.body"),
])  # fmt: skip
def test_what_pictures_cannot_have_is_refused_by_key(override: str, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        pictures(override)
    assert key in str(refused.value)


@pytest.mark.parametrize(
    "override",
    ["preparation.resize=[286,286]", "data.side_by_side=[mr,ct]", "data.bits={mr: 8}", "evaluation.protocol=picture"],
)
def test_scans_cannot_have_what_is_for_pictures(override: str) -> None:
    with pytest.raises(ConfigError, match=r"for pictures alone|for HU"):
        config_from_mapping({"data": {"sources": "mr", "target": "ct", "folder": "/scans"}}, [override])


def test_a_configuration_whose_pictures_were_seen_is_read_again_as_it_was_written(tmp_path: Any) -> None:
    forms = {"label": PictureForm(3, 8), "photo": PictureForm(1, 16)}
    config = with_forms(pictures("intensity.photo={kind: window, low: 0, high: 4095}", "augmentation.flip=0.5"), forms)
    (tmp_path / "config.yaml").write_text(to_yaml(config.without_places()))
    again = config_from_mapping(read_strict_yaml(tmp_path / "config.yaml").content, places=False)  # type: ignore[arg-type]
    assert again == config.without_places()
    assert again.data.images == {"label": ("label.red", "label.green", "label.blue"), "photo": ("photo",)}


def test_where_no_pictures_are_the_phantom_is_offered(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path.parent)
    halves = pictures(folder=str(tmp_path), side_by_side=["photo", "label"])
    missing = missing_data(halves)
    assert missing is not None
    assert f"medp2p phantom {tmp_path.name} --kind pictures" in str(missing)
    folders = missing_data(pictures(folder=str(tmp_path / "none")))
    assert folders is not None
    assert "expected folders label, photo" in str(folders)
