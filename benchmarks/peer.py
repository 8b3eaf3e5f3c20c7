"""A textbook pix2pix to measure against: nested U-Net, float32, channels-first, two Adams, one slice at a time.

Written layer by layer from the recipe of the reference repository, with nothing done for speed; its names for weights
are the reference's. The tests use it as an independent evaluation of those weights.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def _norm(kind: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.InstanceNorm2d(channels)


class UNetBlock(nn.Module):
    """Down, whatever is inside, up; all but the outermost give their input along."""

    def __init__(self, outer, inner, *, norm, inside=None, entering=None, outermost=False, dropout=False):
        super().__init__()
        self.outermost = outermost
        bias = norm == "instance"
        down = nn.Conv2d(outer if entering is None else entering, inner, 4, 2, 1, bias=bias)
        if outermost:
            layers = [down, inside, nn.ReLU(), nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1), nn.Tanh()]
        elif inside is None:
            up = nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, _norm(norm, outer)]
        else:
            up = nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2), down, _norm(norm, inner), inside, nn.ReLU(), up, _norm(norm, outer)]
            layers += [nn.Dropout(0.5)] if dropout else []
        self.model = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return self.model(features) if self.outermost else torch.cat([features, self.model(features)], 1)


class UNetGenerator(nn.Module):
    def __init__(self, in_channels, out_channels, *, halvings=8, channels=64, norm="batch", dropout=True):
        super().__init__()
        wide = 8 * channels
        block = UNetBlock(wide, wide, norm=norm)
        for _ in range(halvings - 5):
            block = UNetBlock(wide, wide, norm=norm, inside=block, dropout=dropout)
        for narrow in (4 * channels, 2 * channels, channels):
            block = UNetBlock(narrow, 2 * narrow, norm=norm, inside=block)
        self.model = UNetBlock(out_channels, channels, norm=norm, inside=block, entering=in_channels, outermost=True)

    def forward(self, source: Tensor) -> Tensor:
        return self.model(source)


class ResNetBlock(nn.Module):
    def __init__(self, channels, *, norm, dropout):
        super().__init__()
        bias = norm == "instance"
        layers = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), _norm(norm, channels), nn.ReLU()]
        layers += [nn.Dropout(0.5)] if dropout else []
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), _norm(norm, channels)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.conv_block(features)


class ResNetGenerator(nn.Module):
    def __init__(self, in_channels, out_channels, *, blocks=9, channels=64, norm="batch", dropout=True):
        super().__init__()
        bias = norm == "instance"
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, channels, 7, bias=bias), _norm(norm, channels)]
        layers += [nn.ReLU()]
        for width in (channels, 2 * channels):
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), _norm(norm, 2 * width), nn.ReLU()]
        layers += [ResNetBlock(4 * channels, norm=norm, dropout=dropout) for _ in range(blocks)]
        for width in (4 * channels, 2 * channels):
            half = width // 2
            layers += [nn.ConvTranspose2d(width, half, 3, 2, 1, 1, bias=bias), _norm(norm, half), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(channels, out_channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, source: Tensor) -> Tensor:
        return self.model(source)


class PatchDiscriminator(nn.Module):
    def __init__(self, in_channels, *, layers=3, channels=64, norm="batch"):
        super().__init__()
        bias = norm == "instance"
        width = channels
        model = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for k in range(1, layers + 1):
            before, width = width, channels * min(2**k, 8)
            stride = 2 if k < layers else 1
            model += [nn.Conv2d(before, width, 4, stride, 1, bias=bias), _norm(norm, width), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*model, nn.Conv2d(width, 1, 4, 1, 1))

    def forward(self, pair: Tensor) -> Tensor:
        return self.model(pair)


class PixelDiscriminator(nn.Module):
    def __init__(self, in_channels, *, channels=64, norm="batch"):
        super().__init__()
        bias = norm == "instance"
        wide = 2 * channels
        middle = [nn.Conv2d(channels, wide, 1, bias=bias), _norm(norm, wide), nn.LeakyReLU(0.2)]
        first = [nn.Conv2d(in_channels, channels, 1), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*first, *middle, nn.Conv2d(wide, 1, 1, bias=bias))

    def forward(self, pair: Tensor) -> Tensor:
        return self.net(pair)


def initialise(network: nn.Module) -> None:
    """Weights as the reference draws them, from torch's global random state."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


class Pix2Pix:
    """Both networks, and one step of both."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
        **options: object,
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        options = options or {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.optimizer_g = optimizer(generator.parameters(), **options)
        self.optimizer_d = optimizer(discriminator.parameters(), **options)
        self.against, self.l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()

    def judge(self, source: Tensor, target: Tensor, answer: float) -> Tensor:
        logits = self.discriminator(torch.cat([source, target], 1))
        return self.against(logits, torch.full_like(logits, answer))

    def step(self, source: Tensor, target: Tensor) -> dict[str, float]:
        fake = self.generator(source)

        self.discriminator.requires_grad_(True)
        self.optimizer_d.zero_grad()
        loss_d_fake = self.judge(source, fake.detach(), 0.0)
        loss_d_real = self.judge(source, target, 1.0)
        loss_d = 0.5 * (loss_d_fake + loss_d_real)
        loss_d.backward()
        self.optimizer_d.step()

        self.discriminator.requires_grad_(False)
        self.optimizer_g.zero_grad()
        loss_adversarial = self.judge(source, fake, 1.0)
        loss_l1 = self.l1(fake, target)
        loss_g = loss_adversarial + 100.0 * loss_l1
        loss_g.backward()
        self.optimizer_g.step()
        losses = {"loss_g": loss_g, "loss_adversarial": loss_adversarial, "loss_l1": loss_l1}
        losses |= {"loss_d": loss_d, "loss_d_real": loss_d_real, "loss_d_fake": loss_d_fake}
        return {name: loss.item() for name, loss in losses.items()}
