"""Weights of the reference repository in and out."""

import numpy as np
import pytest
import torch

from medp2p.errors import ConfigError, ModelError, OutputExistsError
from medp2p.networks import build_generator, reference_state_dict
from medp2p.translation import Translator, export_weights, import_weights
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
    with pytest.raises(ConfigError, match="data"):
        import_weights(pth, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_of_another_network_are_refused(pth, tmp_path) -> None:
    with pytest.raises(ModelError, match=r"latest_net_G\.pth"):
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
