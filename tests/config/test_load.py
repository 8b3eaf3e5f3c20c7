"""Loading a configuration: filled in, or every fault at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medp2p.config import Config, config_from_mapping, differing_keys, load_config, missing_data, shipped
from medp2p.errors import ConfigError, Fault, FileError

from .conftest import sound

Load = Callable[..., Config]


def faults_of(load: Callable[..., Config], *overrides: str, **changed: object) -> list[Fault]:
    with pytest.raises(ConfigError) as caught:
        load(*overrides, **changed)
    return list(caught.value.faults)


def test_only_data_is_required(load: Load) -> None:
    config = load(regions=None)
    assert config.training.epochs == 100
    assert config.generator.kind == "unet_256"
    assert config.preparation.spacing_mm == (1.0, 1.0)
    assert config.evaluation.best_by.region == "body"


def test_a_configuration_without_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("training: {epochs: 1}")
    with pytest.raises(ConfigError, match=r"run.yaml:1: data: it is missing"):
        load_config(path)


def test_a_key_that_two_sections_have_is_sent_to_both(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("data: {sources: mr, target: ct, folder: x}\nchannels: 16\n")
    with pytest.raises(ConfigError, match=r"known as generator.channels and as discriminator.channels: move it"):
        load_config(path)


def test_a_missing_file_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        load_config(tmp_path / "none.yaml")


def test_every_fault_of_a_file_comes_at_once_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "data: {sources: [mr, mr], target: ct, folder: x}\n"
        "generator: {kind: unet_512}\n"
        "discriminator: {lairs: 3}\n"
        "training:\n"
        "  epochs: plenty\n"
        "  batchsize: 4\n"
        "  seed: 007\n"
        "preparation: {size: [200, 256]}\n"
        "los: {}\n"
        "learning_rate: 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    found = {(fault.line, fault.key): fault.message for fault in caught.value.faults}
    assert found.keys() == {
        (1, "data.sources"), (2, "generator.kind"), (3, "discriminator.lairs"), (5, "training.epochs"),
        (6, "training.batchsize"), (7, "training.seed"), (9, "los"), (10, "learning_rate"),
    }  # fmt: skip
    assert "`batch_size`" in found[6, "training.batchsize"]
    assert "`layers`" in found[3, "discriminator.lairs"]
    assert "`loss`" in found[9, "los"]
    assert "training.learning_rate" in found[10, "learning_rate"]
    assert '"plenty"' in found[5, "training.epochs"]
    assert "unet_256" in found[2, "generator.kind"]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("training", "epochs", 1.5), ("training", "epochs", -1), ("training", "epochs", True),
        ("training", "epochs", "1"),
        ("training", "learning_rate", 0), ("training", "learning_rate", "2e-4"), ("training", "betas", [0.5]),
        ("training", "betas", [0.5, 1.0]), ("training", "seed", -1), ("training", "tracking", "visdom"),
        ("training", "precision", "fp16"), ("training", "validate_every", 0), ("training", "batch_size", 0),
        ("preparation", "spacing_mm", [0, 1]), ("preparation", "spacing_mm", 1), ("preparation", "size", [256]),
        ("preparation", "plane", "transversal"), ("preparation", "context_slices", -1),
        ("augmentation", "flip", 1.5), ("augmentation", "scale", 1.0), ("generator", "channels", 0),
        ("generator", "dropout", "yes"), ("generator", "norm", "layer"), ("discriminator", "layers", 0),
        ("loss", "l1_weight", -1), ("loss", "adversarial", "wgan"), ("evaluation", "protocol", "synthrad2024"),
        ("evaluation", "best_by", {"metric": "mse"}), ("regions", "weights", {"bone": -1}), ("regions", "names", 3),
        ("regions", "names", {"1": "volume"}), ("regions", "names", {"x": "y"}), ("regions", "names", {"-1": "y"}),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_is_refused_by_its_key(load: Load, section: str, key: str, value: object) -> None:
    faults = faults_of(load, **{section: {key: value}})
    assert any((fault.key or "").startswith(f"{section}.{key}") for fault in faults)


@pytest.mark.parametrize("value", [".inf", ".nan", "1e400"])
def test_no_number_is_infinite(load: Load, value: str) -> None:
    assert "finite" in faults_of(load, f"training.learning_rate={value}")[0].message


def test_learning_rates_and_weights_that_diverge_are_the_users_choice(load: Load) -> None:
    config = load("training.learning_rate=1e30", "loss.l1_weight=3e38")
    assert (config.training.learning_rate, config.loss.l1_weight) == (1e30, 3e38)


def test_paths_of_the_file_are_relative_to_it_and_those_of_options_to_the_current_folder(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    monkeypatch.chdir(desk)
    config = load("data.store=store", "training.start_from=../run", regions={"names": "labels.yaml"})
    assert config.data.folder == tmp_path.parent / "data"
    assert config.data.store == desk / "store"
    assert config.training.start_from == tmp_path / "run"
    assert config.regions.names == tmp_path / "labels.yaml"


def test_a_tilde_in_a_path_is_the_home_of_the_user(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = load("data.store=~/store", regions={"names": "~/labels.yaml"})
    assert config.data.store == tmp_path / "home" / "store"
    assert config.regions.names == tmp_path / "home" / "labels.yaml"


def test_a_known_set_of_labels_is_no_path(load: Load) -> None:
    assert load(regions={"names": "totalsegmentator"}).regions.names == "totalsegmentator"


def test_dots_in_a_path_stay_where_a_link_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "far" / "configs").mkdir(parents=True)
    (tmp_path / "configs").symlink_to(tmp_path / "far" / "configs")
    config = config_from_mapping(sound(), folder=tmp_path / "configs")
    assert config.data.folder is not None
    assert config.data.folder.resolve() == tmp_path / "far" / "data"


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("training.learning_rate=5e-4", 5e-4), ("training.betas=[0.4, 0.9]", (0.4, 0.9)),
        ("training.betas=[0.4,0.9]", (0.4, 0.9)), ("training.tracking=null", None), ("data.patient='^a=(.)'", "^a=(.)"),
        ("regions.weights={bone: 2}", {"bone": 2.0}), ("data.split.test=0.5", 0.5), ("data.target=[ct]", ("ct",)),
    ],
)  # fmt: skip
def test_an_option_replaces_one_key(load: Load, override: str, found: object) -> None:
    at: object = load(override)
    for key in override.partition("=")[0].split("."):
        at = getattr(at, key)
    assert at == found


def test_of_a_repeated_option_the_last_counts(load: Load) -> None:
    assert load("training.epochs=2", "training.epochs=3").training.epochs == 3


@pytest.mark.parametrize(
    ("override", "blamed"),
    [
        ("training.epoks=3", "--set training.epoks"), ("generator.kind=unet_512", "--set generator.kind"),
        ("training.epochs.x=3", "--set training.epochs.x"), ("training.seed=007", "--set training.seed"),
        ("nonsense", "--set"), ("=3", "--set"), ("a..b=3", "--set"), ("training.epochs", "--set"),
        ("data.cases.0.mr=x", "--set data.cases.0.mr"), ("training=[1", "--set training"),
        ("training=3", "--set training"),
    ],
)  # fmt: skip
def test_a_faulty_option_is_named_with_its_key(load: Load, override: str, blamed: str) -> None:
    assert any(str(fault).startswith(f"{blamed}: ") for fault in faults_of(load, override))


def test_intensity_is_filled_in_for_every_channel(load: Load) -> None:
    data = {**sound()["data"], "sources": ["t1", "cbct"], "files": None}
    config = load(data=data, regions=None, intensity={"ct": {"low": -1000, "high": 2000}, "t1": {"kind": "percentile"}})
    assert {name: (i.kind, i.low, i.high, i.hu) for name, i in config.intensity.items()} == {
        "ct": ("window", -1000.0, 2000.0, True),
        "t1": ("percentile", 0.5, 99.5, False),
        "cbct": ("window", -1024.0, 3071.0, True),
    }


@pytest.mark.parametrize(
    "intensity",
    [
        {"ct": {"low": 5, "high": 5}}, {"mr": {"kind": "window"}}, {"mr": {"kind": "window", "low": 0}}, {"pet": {}},
        {"mr": {"low": -1}}, {"mr": {"high": 101}}, {"mr": {"hu": True}}, {"ct": {"low": -1024.5}},
        {"ct": {"high": 40000}}, {"ct": 3}, {"ct": {"kind": "log"}},
    ],
)  # fmt: skip
def test_a_map_that_cannot_be_meant_is_refused(load: Load, intensity: object) -> None:
    assert all((fault.key or "").startswith("intensity.") for fault in faults_of(load, intensity=intensity))


def test_a_window_without_hu_is_only_a_map(load: Load) -> None:
    assert not load(intensity={"ct": {"kind": "window", "low": 0, "high": 1, "hu": False}}).intensity["ct"].hu


def test_null_takes_a_file_away_or_brings_its_usual_name_back(load: Load) -> None:
    load_with = ("data.files.regions=null", "data.files.mr=null")
    data = load(*load_with, regions=None).data
    assert (data.region_files, data.file_of("mr")) == ((), "mr.nii.gz")


def test_files_are_filled_in_for_every_channel(load: Load) -> None:
    data = load(data={"sources": "t1", "target": ["t2", "flair"], "folder": "x"}, regions=None).data
    assert data.channels == ("t1", "t2", "flair")
    assert [data.file_of(channel) for channel in data.channels] == ["t1.nii.gz", "t2.nii.gz", "flair.nii.gz"]
    assert (data.region_files, data.body_file) == ((), None)
    assert (data.fractions.validation, data.fractions.test) == (0.1, 0.2)


@pytest.mark.parametrize(
    "names",
    [{"1": "brain", "2": "bone", "5": "bone", "0": "background"}, {"brain": 1, "bone": [2, 5], "background": 0}],
)
def test_names_of_regions_may_be_written_either_way_round(load: Load, names: dict[str, object]) -> None:
    found = load(regions={"names": names}).regions.names
    assert found == {1: "brain", 2: "bone", 5: "bone", 0: "background"}


def test_groups_among_the_names_become_groups(load: Load) -> None:
    regions = load(regions={"names": {"edema": 1, "core": 2, "tumour": [1, 2]}}).regions
    assert (regions.names, regions.groups) == ({1: "edema", 2: "core"}, {"tumour": ("edema", "core")})


def test_text_that_looks_like_a_number_is_asked_for_in_quotes(load: Load) -> None:
    data = {"sources": "mr", "target": "ct", "cases": [{"id": 12, "split": "train", "mr": "a", "ct": "b"}]}
    assert "quotes" in faults_of(load, data=data, regions=None)[0].message


def test_a_configuration_is_frozen(load: Load) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().training.epochs = 3  # type: ignore[misc]


def test_without_places_no_path_is_left(load: Load, tmp_path: Path) -> None:
    config = load("training.start_from=run", "data.store=s", regions={"names": "labels.yaml"})
    bare = config.without_places({1: "brain"})
    assert str(tmp_path) not in bare.model_dump_json()
    assert bare.regions.names == {1: "brain"}
    assert differing_keys(config, bare) == (
        "data.folder",
        "data.store",
        "regions.names",
        "training.start_from",
    )


def test_an_import_needs_no_cases() -> None:
    config = config_from_mapping({}, ["data.sources=[mr]", "data.target=ct", "generator.channels=8"], places=False)
    assert (config.data.channels, config.generator.channels) == (("mr", "ct"), 8)
    with pytest.raises(ConfigError, match="data: it is missing"):
        config_from_mapping({}, [], places=False)
    with pytest.raises(ConfigError, match=r"data\.target: it is missing"):
        config_from_mapping({}, ["data.sources=[mr]"], places=False)


def test_missing_scans_are_said_with_both_cures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    content = {"data": {"sources": "mr", "target": "ct", "folder": "../data/mr2ct"}}
    (tmp_path / "configs" / "run.yaml").write_text(str(content))
    said = str(missing_data(load_config("configs/run.yaml")))
    assert said.startswith("configs/run.yaml:1: data.folder: there is no such folder")
    assert "mr.nii.gz, ct.nii.gz" in said
    assert "--set data.folder=DIR" in said
    assert "`medp2p phantom data/mr2ct`" in said
    (tmp_path / "data" / "mr2ct").mkdir(parents=True)
    assert "no scans" in str(missing_data(load_config("configs/run.yaml")))
    assert "did you mean" not in said
    (tmp_path / "data" / "mr2ct" / "case").mkdir()
    assert missing_data(load_config("configs/run.yaml")) is None


@pytest.mark.parametrize(("given", "cause"), [("S01", "the folder of one case"), ("S01/ct.nii.gz", "a file")])
def test_one_case_or_a_file_in_place_of_the_folder_of_cases_is_told_as_that(
    tmp_path: Path, given: str, cause: str
) -> None:
    (tmp_path / "S01").mkdir()
    (tmp_path / "S01" / "ct.nii.gz").touch()
    said = str(
        missing_data(config_from_mapping({"data": {"sources": "mr", "target": "ct", "folder": tmp_path / given}}))
    )
    assert f"data.folder: this is {cause} (found" in said
    assert "Fix: name the folder above: `--set data.folder=" in said
    assert "phantom" not in said


def test_synthetic_heads_are_no_cure_for_other_files(tmp_path: Path) -> None:
    content = {"data": {"sources": "t1", "target": "t2", "folder": tmp_path / "none"}}
    assert "phantom" not in str(missing_data(config_from_mapping(content)))


def test_a_shipped_configuration_that_was_put_elsewhere_is_told_where_its_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work" / "data" / "mr2ct" / "head_001").mkdir(parents=True)
    (tmp_path / "work" / "mine.yaml").write_text(shipped("mr2ct"))
    monkeypatch.chdir(tmp_path / "work")
    said = str(missing_data(load_config("mine.yaml")))
    assert "(found ../data/mr2ct," in said
    assert "Fix: did you mean `--set data.folder=data/mr2ct`, or that folder in the file, relative to it? Else" in said
    assert missing_data(load_config("mine.yaml", ["data.folder=data/mr2ct"])) is None
