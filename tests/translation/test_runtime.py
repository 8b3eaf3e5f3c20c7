"""Runtimes: each computes what torch's plain float32 computes, and the choice stays what it was."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from medp2p.describing import info
from medp2p.errors import ConfigError
from medp2p.networks import build_generator, set_reference_habit
from medp2p.translation import Translator, runtime_choice
from medp2p.translation.exact_biases import scalable_layers
from medp2p.translation.folded import fold_norms
from medp2p.translation.runtime import compile_network, fitting, runtimes
from medp2p.translation.runtime_choice import by_rule, choose, measure
from tests.translation.conftest import description, save
from tests.translation.test_translator import scan

CPU = torch.device("cpu")
HU = 4095 / 2
"""Of the usual CT window, for one unit of a prediction in [-1, 1]."""
KINDS = [("unet_128", "batch", 1), ("unet_128", "batch", 3), ("unet_128", "instance", 1), ("resnet_6", "batch", 1),
         ("resnet_6", "instance", 2)]  # fmt: skip


def trained(kind: str, norm: str, channels: int, *, seed: int = 1) -> nn.Module:
    """A generator whose norms have statistics, and whose predictions fill [-1, 1]."""
    network = build_generator(kind, in_channels=channels, out_channels=2, channels=8, norm=norm, seed=seed)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)  # of the dropout
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.8, 1.2, generator=draw)
                module.bias.normal_(0, 0.1, generator=draw)
        for seed in range(4):
            network(slices(channels, seed=seed))
        last = network.up[0] if kind.startswith("unet") else network.last
        spread = torch.atanh(network.eval()(slices(channels)).clamp(-0.999, 0.999)).std()
        last.weight *= 0.7 / spread
    return network.requires_grad_(False)


def slices(channels: int, *, batch: int = 2, shape: tuple[int, int] = (128, 256), seed: int = 9) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.rand((batch, channels, 16, 16), generator=draw) * 2 - 1
    smooth = nn.functional.interpolate(coarse, shape, mode="bicubic").clamp(-1, 1)
    return smooth.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("kind", "norm", "channels"), KINDS)
@pytest.mark.parametrize(("batch", "shape"), [(2, (128, 256)), (5, (128, 128)), (1, (256, 384))])
def test_every_runtime_agrees_with_plain_float32(kind, norm, channels, batch, shape) -> None:
    network = trained(kind, norm, channels)
    given = slices(channels, batch=batch, shape=shape)
    off = {name: difference(network, given, "fp32", name) for name in fitting(network, CPU, "fp32")}
    assert {name for name, each in off.items() if each.max() > 0.01} == set()


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="bf16 is emulated here, in minutes")
@pytest.mark.parametrize(("kind", "norm", "channels"), KINDS)
def test_in_bf16_no_runtime_is_further_off_than_autocast(kind, norm, channels) -> None:
    off: dict[str, list[torch.Tensor]] = {}
    for seed in range(4):  # one network alone may be lucky with either
        network, given = trained(kind, norm, channels, seed=seed), slices(channels, batch=1, shape=(128, 128))
        for name in fitting(network, CPU, "bf16"):
            off.setdefault(name, []).append(difference(network, given, "bf16", name))
    mean = {name: sum(float(each.mean()) for each in networks) for name, networks in off.items()}
    largest = {name: sum(float(each.max()) for each in networks) for name, networks in off.items()}
    assert {name for name in off if mean[name] > 1.2 * mean["plain"]} == set()
    assert {name for name in off if largest[name] > 1.2 * largest["plain"]} == set()


def test_packed_is_offered_in_the_precisions_that_this_processor_packs() -> None:
    network = trained("unet_128", "batch", 1)
    assert "packed" in fitting(network, CPU, "fp32")
    assert ("packed" in fitting(network, CPU, "bf16")) == torch.ops.mkldnn._is_mkldnn_bf16_supported()


@pytest.mark.parametrize("kind", ["unet_128", "resnet_6"])
def test_folding_for_bf16_leaves_biases_that_bf16_holds_and_the_answer_as_it_was(kind) -> None:
    network = trained(kind, "batch", 1)
    folded = fold_norms(copy.deepcopy(network), "bf16")
    with torch.inference_mode():
        assert float((folded(slices(1)) - network(slices(1))).abs().max()) * HU < 0.01
    held = [torch.equal(layer.bias, layer.bias.bfloat16().float()) for layer, _ in scalable_layers(folded)]
    assert all(held)
    assert len(held) == {"unet_128": 11, "resnet_6": 9}[kind]


def difference(network: nn.Module, given: torch.Tensor, precision: str, runtime: str) -> torch.Tensor:
    """How far a runtime is from plain float32, in HU."""
    compute = compile_network(copy.deepcopy(network), precision, CPU, runtime=runtime)
    with torch.inference_mode():
        return (compute(given) - network(given)).abs() * HU


@pytest.mark.parametrize("runtime", sorted(runtimes))
def test_one_compiled_network_takes_slices_of_every_size_and_leaves_them_alone(runtime: str) -> None:
    network = trained("unet_128", "batch", 1)
    if runtime not in fitting(network, CPU, "fp32"):
        pytest.skip(f"{runtime} is not installed")
    compute = compile_network(copy.deepcopy(network), "fp32", CPU, runtime=runtime)
    with torch.inference_mode():
        for batch, shape in ((9, (128, 128)), (1, (128, 128)), (3, (256, 128))):
            given = slices(1, batch=batch, shape=shape)
            before = given.clone()
            torch.testing.assert_close(compute(given), network(given), atol=5e-6, rtol=0)
            assert torch.equal(given, before)


def test_a_network_with_the_training_habit_is_computed_as_it_is() -> None:
    network = set_reference_habit(trained("unet_128", "batch", 1), True)
    assert fitting(network, CPU, "fp32") == ["plain"]
    assert fitting(network.train(), CPU, "fp32") == ["plain"]


def test_the_translator_says_its_runtime_and_takes_another(tmp_path) -> None:
    model = save(tmp_path, description())
    by_default = Translator.load(model, device="cpu", precision="fp32")
    plain = Translator.load(model, device="cpu", precision="fp32", runtime="plain")
    assert (by_default.runtime, plain.runtime) == ("folded", "plain")
    np.testing.assert_allclose(by_default(scan()).voxels, plain(scan()).voxels, atol=1)


def test_a_runtime_that_does_not_fit_is_refused(tmp_path) -> None:
    model = save(tmp_path, description())
    with pytest.raises(ConfigError, match=r"--runtime: it does not fit.*found packed, expected auto, plain, folded"):
        Translator.load(model, device="cpu", runtime="packed")
    with pytest.raises(ConfigError, match="there is no such runtime"):
        Translator.load(model, device="cpu", runtime="magic")


def test_the_rule_takes_packed_weights_where_there_are_matrix_units(monkeypatch: pytest.MonkeyPatch) -> None:
    every = ["plain", "folded", "packed"]
    monkeypatch.setattr(runtime_choice, "has_bf16", lambda device: False)
    assert by_rule(every, "bf16", CPU) == "folded"
    monkeypatch.setattr(runtime_choice, "has_bf16", lambda device: True)
    assert by_rule(every, "bf16", CPU) == "packed"
    assert by_rule([*every, "openvino"], "fp32", CPU) == "packed"
    assert by_rule(["plain"], "bf16", CPU) == "plain"


@pytest.fixture
def nothing_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(runtime_choice, "_remembered", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "medp2p"


def test_without_a_cache_folder_nothing_is_measured_or_written(nothing_remembered, monkeypatch) -> None:
    monkeypatch.setattr(runtime_choice, "measure", lambda *_, **__: pytest.fail("measured"))
    chosen = choose(trained("unet_128", "batch", 1), "fp32", CPU, channels=1)
    assert chosen.why == "rule"
    assert not nothing_remembered.exists()


def test_with_a_cache_folder_the_fastest_is_measured_once_and_remembered(nothing_remembered, monkeypatch) -> None:
    nothing_remembered.mkdir(parents=True)
    speeds = iter([{"folded": 90.0, "packed": 60.0}])
    monkeypatch.setattr(runtime_choice, "measure", lambda *_, **__: next(speeds))
    network = trained("unet_128", "batch", 1)
    first = choose(network, "fp32", CPU, channels=1)
    runtime_choice._remembered.clear()  # as in another process
    assert choose(network, "fp32", CPU, channels=1) == first
    assert (first.runtime, first.why, first.slices_per_second["folded"]) == ("folded", "measured", 90.0)
    (entry,) = json.loads((nothing_remembered / "runtimes.json").read_text()).values()
    assert entry["runtime"] == "folded"


def test_info_says_the_runtime_of_this_machine_and_why(nothing_remembered, tmp_path, monkeypatch) -> None:
    model = save(tmp_path, description())
    assert info(model)["runtime"] == {"fp32": "folded (rule)", "bf16": "folded (rule)"}
    nothing_remembered.mkdir(parents=True)
    monkeypatch.setattr(runtime_choice, "measure", lambda *_, **__: {"folded": 90.0})
    monkeypatch.setattr(runtime_choice, "fitting", lambda *_: ["plain", "folded"])
    Translator.load(model, device="cpu", precision="fp32")
    assert info(model)["runtime"]["fp32"] == "folded (measured: folded 90 slices/s)"


def test_a_damaged_memory_counts_as_none(nothing_remembered, monkeypatch) -> None:
    nothing_remembered.mkdir(parents=True)
    (nothing_remembered / "runtimes.json").write_text('{"a": 3}')
    monkeypatch.setattr(runtime_choice, "measure", lambda *_, **__: {"folded": 1.0, "packed": 1.01})
    assert choose(trained("unet_128", "batch", 1), "fp32", CPU, channels=1).why == "measured"


def test_measuring_leaves_the_network_as_it_is() -> None:
    network = trained("resnet_6", "batch", 1)
    before = copy.deepcopy(network.state_dict())
    assert set(measure(network, "fp32", CPU, channels=1, size=(16, 16))) == {"folded"}
    assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())
