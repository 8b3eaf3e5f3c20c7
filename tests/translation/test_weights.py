"""Weights of the reference repository in and out."""

import numpy as np
import pytest
import torch

from medp2p.errors import ConfigError, ModelError, OutputExistsError
from medp2p.networks import build_generator, reference_state_dict
from medp2p.networks.unet import UNet
from medp2p.translation import Translator, export_weights, import_weights
from medp2p.translation.model_file import model_path, read_header
from medp2p.volume import Volume

SET = ["data.sources=[mr]", "data.target=ct", "generator.kind=unet_128", "generator.channels=4"]


@pytest.fixture
def pth(tmp_path):
    network = build_generator("unet_128", in_channels=1, out_channels=1, channels=4, norm="batch", dropout=True, seed=5)
    path = tmp_path / "latest_net_G.pth"
    torch.save(reference_state_dict(network), path)
    return path


def test_imported_weights_come_back_as_they_were(pth, tmp_path) -> None:
    import_weights(pth, tmp_path / "run", set=SET)
    export_weights(tmp_path / "run", tmp_path / "again.pth")
    given, back = (torch.load(path, weights_only=True) for path in (pth, tmp_path / "again.pth"))
    assert list(given) == list(back)
    assert all(torch.equal(given[name], back[name]) for name in given)


def test_an_imported_run_translates(pth, tmp_path) -> None:
    run = import_weights(pth, tmp_path / "run", set=SET)
    assert {path.name for path in run.iterdir()} >= {"generator.safetensors", "config.yaml", "model_card.md"}
    scan = Volume(np.random.default_rng(0).integers(0, 900, (30, 40, 2)).astype(np.int16), np.eye(4))
    assert Translator.load(run, device="cpu")(scan).same_grid(scan)


def test_sources_and_target_must_be_given(pth, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"found no data\.sources, no data\.target.*add --set data\.sources=SOURCE"):
        import_weights(pth, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"found no data\.target\)"):
        import_weights(pth, tmp_path / "run", set=SET[:1])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("kind", "norm", "dropout"),
    [("unet_128", "instance", True), ("resnet_6", "batch", False), ("unet_256", "batch", True)],
)
def test_the_generator_follows_from_the_weights(kind: str, norm: str, dropout: bool, tmp_path) -> None:
    network = build_generator(kind, in_channels=1, out_channels=1, channels=5, norm=norm, dropout=dropout)
    torch.save(reference_state_dict(network), tmp_path / "net_G.pth")
    run = import_weights(tmp_path / "net_G.pth", tmp_path / "run", set=SET[:2])
    found = read_header(model_path(run)).description.generator
    assert (found.kind, found.channels, found.norm, found.dropout) == (kind, 5, norm, dropout)


def test_a_generator_that_is_not_here_is_refused_by_name(tmp_path) -> None:
    network = UNet(in_channels=1, out_channels=1, channels=4, halvings=6, norm="batch", dropout=True)
    torch.save(reference_state_dict(network), tmp_path / "net_G.pth")
    with pytest.raises(ModelError, match=r"that is not here .found unet_64 with 4 channels"):
        import_weights(tmp_path / "net_G.pth", tmp_path / "run", set=SET[:2])
    assert not (tmp_path / "run").exists()


def test_weights_of_another_network_are_refused(pth, tmp_path) -> None:
    with pytest.raises(
        ModelError, match=r"latest_net_G\.pth: .*found unet_128 with 4 channels.*expected unet_128 with 8"
    ):
        import_weights(pth, tmp_path / "run", set=[*SET[:3], "generator.channels=8"])
    assert not (tmp_path / "run").exists()


def test_a_folder_with_anything_else_is_never_replaced(pth, tmp_path) -> None:
    run = import_weights(pth, tmp_path / "run", set=SET)
    with pytest.raises(OutputExistsError, match="not empty"):
        import_weights(pth, run, set=SET)
    import_weights(pth, run, set=SET, overwrite=True)
    (run / "mine.txt").write_text("kept")
    with pytest.raises(OutputExistsError, match="more than an imported run"):
        import_weights(pth, run, set=SET, overwrite=True)


def test_an_export_is_refused_by_its_extension_and_where_it_exists(pth, tmp_path) -> None:
    run = import_weights(pth, tmp_path / "run", set=SET)
    with pytest.raises(ConfigError, match=r"\.pth"):
        export_weights(run, tmp_path / "weights.bin")
    with pytest.raises(OutputExistsError):
        export_weights(run, pth)
