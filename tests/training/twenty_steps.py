"""A script that tests start: twenty steps of plain descent on batches of four, in one process or shared by several.

python twenty_steps.py PROCESSES WEIGHTS.pt
"""

import sys

import torch

from medp2p.networks import build_discriminator, build_generator
from medp2p.training.engine import Engine
from medp2p.training.step import Pix2PixUpdate

STEPS, BATCH = 20, 4


def trained(engine: Engine, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The weights of both networks after the steps."""
    generator = build_generator("unet_128", in_channels=1, out_channels=1, channels=8, norm="instance", dropout=False)
    discriminator = build_discriminator("patch", in_channels=2, channels=8, norm="instance")
    update = Pix2PixUpdate(
        engine.shared(generator.to(dtype)),
        engine.shared(discriminator.to(dtype)),
        backward=engine.backward,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e-4),
    )
    draw = torch.Generator().manual_seed(0)
    mine = slice(engine.rank, None, engine.world_size)
    for _ in range(STEPS):
        source, target, weight = torch.rand((3, BATCH, 1, 128, 128), generator=draw).to(dtype)[:, mine]
        update(2 * source - 1, 2 * target - 1, weight, total=engine.weight_total(weight))
    networks = {"generator": generator, "discriminator": discriminator}
    return {f"{name}.{key}": value for name, network in networks.items() for key, value in network.state_dict().items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    engine = Engine("cpu", devices=int(sys.argv[1]))
    with engine.together():
        weights = {str(dtype): trained(engine, dtype) for dtype in (torch.float32, torch.float64)}
    if engine.is_main:
        torch.save(weights, sys.argv[2])
