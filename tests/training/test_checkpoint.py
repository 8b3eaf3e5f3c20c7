"""`last.pt`: the state comes back whole, or is refused."""

import numpy as np
import pytest
import torch

from medp2p.errors import ModelError
from medp2p.training.checkpoint import Progressed, load_checkpoint, save_checkpoint

PROGRESSED = Progressed(epoch=2, step=7, sums={"loss_g": 1.5}, samples=28, best=40.25, best_epoch=1,
                        history=[{"epoch": 1.0, "body_mae": None}])  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"generator": {"w": torch.arange(1000.0)}}, PROGRESSED)
    return path


def test_the_state_comes_back_as_it_was(saved) -> None:
    state, progressed = load_checkpoint(saved)
    assert torch.equal(state["generator"]["w"], torch.arange(1000.0))
    assert progressed == PROGRESSED


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_bit_of_a_tensor_is_found(saved, seed: int) -> None:
    raw = bytearray(saved.read_bytes())
    begin = raw.find(np.float32(500).tobytes())
    raw[begin + int(np.random.default_rng(seed).integers(0, 1000))] ^= 1
    saved.write_bytes(raw)
    with pytest.raises(ModelError, match=r"last\.pt"):
        load_checkpoint(saved)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80\x04K\x01."])
def test_what_is_no_state_is_refused(tmp_path, content: bytes) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "progressed",
    [None, [1], {"epoch": "abc"}, {"epoch": 3}, {"epoch": 1, "step": -1}, {"epoch": 1, "mind": 2}, {"history": None}],
)
def test_a_state_that_does_not_say_where_training_stood_is_refused(tmp_path, progressed: object) -> None:
    path = tmp_path / "last.pt"
    torch.save({"version": 1, "progressed": progressed}, path)
    with pytest.raises(ModelError, match=r"where training stood|contradicts itself"):
        load_checkpoint(path)


def test_code_hidden_in_a_state_does_not_run(tmp_path) -> None:
    class Payload:
        def __reduce__(self):
            return (tmp_path.joinpath("pwned").write_text, ("x",))

    path = tmp_path / "last.pt"
    torch.save({"version": 1, "progressed": Payload()}, path)
    with pytest.raises(ModelError):
        load_checkpoint(path)
    assert not (tmp_path / "pwned").exists()
