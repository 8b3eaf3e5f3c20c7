import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from medp2p.errors import FileError, ModelError
from medp2p.networks import (
    architecture_of_reference,
    build_discriminator,
    build_generator,
    discriminators,
    generators,
    load_reference_weights,
    reference_state_dict,
)
from medp2p.networks.reference_architecture import ReferenceArchitecture

from ..textbook import textbook  # noqa: TID252  # pytest imports by file, tests are no package

NORMS = ("batch", "instance")
NORM_ENTRIES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def ours(kind: str, **options: object) -> nn.Module:
    if kind in generators:
        return build_generator(kind, in_channels=2, out_channels=1, channels=8, seed=9, **options)
    return build_discriminator(kind, in_channels=3, channels=8, seed=9, **options)


def theirs(kind: str, **options: object) -> nn.Module:
    if kind in generators:
        return textbook(kind, in_channels=2, out_channels=1, channels=8, **options)
    return textbook(kind, in_channels=3, channels=8, **options)


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", [*generators, *discriminators])
def test_weights_of_the_reference_give_the_outputs_of_an_independent_evaluation(kind: str, norm: str) -> None:
    other = theirs(kind, norm=norm).eval()
    network = load_reference_weights(ours(kind, norm=norm), other.state_dict()).eval()
    images = torch.rand(2, 2 if kind in generators else 3, 256, 256, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(network(2 * images - 1), other(2 * images - 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", [*generators, *discriminators])
def test_weights_of_the_reference_come_back_bit_for_bit_by_file(kind: str, norm: str, tmp_path: Path) -> None:
    weights = theirs(kind, norm=norm).state_dict()
    torch.save(weights, tmp_path / "latest_net.pth")
    network = load_reference_weights(ours(kind, norm=norm), tmp_path / "latest_net.pth")
    assert same(reference_state_dict(network), dict(weights))


@pytest.mark.parametrize("layers", [1, 2, 4, 5])
def test_a_patch_discriminator_of_any_depth_takes_its_weights(layers: int) -> None:
    weights = theirs("patch", layers=layers).state_dict()
    assert same(reference_state_dict(load_reference_weights(ours("patch", layers=layers), weights)), dict(weights))


def test_the_unet_has_the_keys_of_the_reference() -> None:
    prefixes = ["model.model.1.model" + ".3.model" * (k - 1) for k in range(1, 8)]
    expected = {"model.model.0.weight", "model.model.3.weight", "model.model.3.bias"}
    for prefix in prefixes[:-1]:
        expected |= {f"{prefix}.1.weight", f"{prefix}.5.weight"}
        expected |= {f"{prefix}.{number}.{entry}" for number in (2, 6) for entry in NORM_ENTRIES}
    expected |= {f"{prefixes[-1]}.1.weight", f"{prefixes[-1]}.3.weight"}
    expected |= {f"{prefixes[-1]}.4.{entry}" for entry in NORM_ENTRIES}
    found = reference_state_dict(build_generator("unet_256", in_channels=1, out_channels=1, seed=None))
    assert found.keys() == expected
    assert len(found) == 82
    assert found["model.model.1.model.3.model.5.weight"].shape == (512, 128, 4, 4)


@pytest.mark.parametrize(("kind", "norm", "entries"), [("unet_256", "instance", 32), ("resnet_9", "batch", 140)])
def test_other_generators_have_as_many_keys_as_the_reference(kind: str, norm: str, entries: int) -> None:
    generator = build_generator(kind, in_channels=1, out_channels=1, norm=norm, seed=None)
    assert len(reference_state_dict(generator)) == entries


def test_the_patch_discriminator_has_the_keys_of_the_reference() -> None:
    expected = {f"model.{number}.{entry}" for number in (3, 6, 9) for entry in NORM_ENTRIES}
    expected |= {"model.0.weight", "model.0.bias", "model.2.weight", "model.5.weight", "model.8.weight"}
    expected |= {"model.11.weight", "model.11.bias"}
    assert reference_state_dict(build_discriminator("patch", in_channels=2, seed=None)).keys() == expected


@pytest.mark.parametrize("dropout", [True, False])
def test_the_keys_of_a_resnet_depend_on_its_dropout(dropout: bool) -> None:
    found = reference_state_dict(ours("resnet_6", dropout=dropout))
    assert ("model.10.conv_block.7.weight" in found) is dropout
    assert found.keys() == theirs("resnet_6", dropout=dropout).state_dict().keys()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("trained_with", [True, False])
def test_a_resnet_takes_weights_trained_with_or_without_dropout(trained_with: bool, norm: str) -> None:
    other = theirs("resnet_6", norm=norm, dropout=trained_with).eval()
    network = ours("resnet_6", norm=norm, dropout=not trained_with).eval()
    load_reference_weights(network, other.state_dict())
    with torch.no_grad():
        source = torch.rand(1, 2, 32, 32)
        torch.testing.assert_close(network(source), other(source), rtol=0, atol=1e-5)


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_the_marks_of_wrappers_are_taken_off(wrapper: str) -> None:
    weights = theirs("pixel").state_dict()
    wrapped = {wrapper + key: tensor for key, tensor in weights.items()} | {"_metadata": {"": {"version": 1}}}
    assert same(reference_state_dict(load_reference_weights(ours("pixel"), wrapped)), dict(weights))


def test_statistics_that_old_instance_norms_kept_are_dropped() -> None:
    weights = dict(theirs("patch", norm="instance").state_dict())
    statistics = {"model.3.running_mean": torch.zeros(16), "model.3.running_var": torch.ones(16)}
    network = load_reference_weights(ours("patch", norm="instance"), weights | statistics)
    assert same(reference_state_dict(network), weights)


def test_files_older_than_the_count_of_batches_are_taken() -> None:
    weights = theirs("patch").state_dict()
    older = {key: tensor for key, tensor in weights.items() if not key.endswith("num_batches_tracked")}
    back = reference_state_dict(load_reference_weights(ours("patch"), older))
    assert all(torch.equal(back[key], tensor) for key, tensor in older.items())


def refusal(network: nn.Module, weights: object) -> str:
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(ModelError) as refused:
        load_reference_weights(network, weights)
    assert same(before, dict(network.state_dict()))
    return str(refused.value)


def test_every_key_that_does_not_fit_is_named_with_the_file(tmp_path: Path) -> None:
    weights = dict(theirs("patch").state_dict())
    weights["model.0.bias"] = torch.zeros(5)
    weights["model.99.weight"] = weights.pop("model.2.weight")
    weights["model.11.bias"] = torch.full((1,), torch.nan)
    path = tmp_path / "latest_net_D.pth"
    torch.save(weights, path)
    lines = refusal(ours("patch"), path).splitlines()
    assert [line.partition(" (")[0].partition(". Fix")[0] for line in lines] == [
        f"{path}: model.0.bias: has another shape",
        f"{path}: model.11.bias: is not finite",
        f"{path}: model.2.weight: is missing from the weights",
        f"{path}: model.99.weight: is in the weights, not in the network",
    ]
    assert "(found (5,), expected (8,))" in lines[0]


def test_weights_of_another_generator_are_refused_in_one_line() -> None:
    said = refusal(ours("unet_256"), theirs("unet_128").state_dict())
    assert "found unet_128 with 8 channels, batch norm, 2 in, 1 out, expected unet_256 with 8 channels" in said
    assert len(said.splitlines()) == 1
    said = refusal(ours("resnet_6", norm="instance"), theirs("resnet_6").state_dict())
    assert (
        "found resnet_6 with 8 channels, batch norm, 2 in, 1 out, expected resnet_6 with 8 channels, instance" in said
    )


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dropout", [True, False])
@pytest.mark.parametrize("kind", generators)
def test_weights_say_what_generator_they_are_of(kind: str, dropout: bool, norm: str) -> None:
    found = architecture_of_reference(theirs(kind, norm=norm, dropout=dropout).state_dict())
    told = None if kind.startswith("unet") else dropout
    assert found == ReferenceArchitecture(kind, 8, norm, told, in_channels=2, out_channels=1)


def test_weights_of_a_discriminator_are_no_generators() -> None:
    for kind in discriminators:
        with pytest.raises(ModelError, match="no generator"):
            architecture_of_reference(theirs(kind).state_dict())


def test_a_generator_without_norm_is_told_from_one_with_instance_norm() -> None:
    weights = dict(theirs("unet_128", norm="instance").state_dict())
    bare = {key: tensor for key, tensor in weights.items() if key != "model.model.1.model.1.bias"}
    assert architecture_of_reference(bare).norm == "none"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"net_G\.pth: cannot be read .*No such file"):
        load_reference_weights(ours("pixel"), tmp_path / "net_G.pth")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"nothing of the kind", bytes(1000)])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net_G.pth").write_bytes(content)
    assert f"{tmp_path / 'net_G.pth'}: holds no weights" in refusal(ours("pixel"), tmp_path / "net_G.pth")


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("ran"),)


def test_code_in_a_file_never_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"net.0.weight": Harmful()}, "net_G.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"net.0.weight": Harmful()}, protocol=2))
    for name in ("net_G.pth", "plain.pth"):
        assert "holds no weights" in refusal(ours("pixel"), name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"state": {"net.0.weight": torch.zeros(1)}}])
def test_a_file_of_other_things_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "net_G.pth")
    assert "holds no weights" in refusal(ours("pixel"), tmp_path / "net_G.pth")


def test_a_network_that_is_not_ours_is_refused() -> None:
    with pytest.raises(ModelError, match="no such network"):
        reference_state_dict(nn.Conv2d(1, 1, 1))
