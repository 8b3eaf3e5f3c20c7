"""On which device, and in which precision, networks compute: decided once per task, and said aloud."""

import logging
from typing import Literal

import torch

from medp2p.errors import ConfigError

logger = logging.getLogger(__name__)

Precision = Literal["fp32", "bf16"]


def resolve_device(name: str = "auto") -> torch.device:
    """The device of a name: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` says what it took.

    Raises:
        ConfigError: There is no device of that name, or this machine lacks it.

    Examples:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        found = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        logger.info("device: %s", describe_device(torch.device(found)))
        return torch.device(found)
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise ConfigError(None, "no such device", key="--device", found=name, expected="auto, cpu, cuda, cuda:N or mps",
                          fix="write --device auto")  # fmt: skip
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[device.type]
    if (device.index or 0) >= there:
        raise ConfigError(None, f"the device {name} is not there", key="--device",
                          found=f"{there} of that kind", fix="write --device auto or cpu")  # fmt: skip
    logger.info("device: %s", describe_device(device))
    return device


def device_of_worker(name: str, number: int) -> str:
    """The device of one of several workers of this machine: each takes a GPU of its own where there are several.

    Args:
        name: What was asked for; only `auto` and `cuda` leave the choice.
        number: Which worker, from 0 on.

    Examples:
        >>> device_of_worker("cpu", 1)
        'cpu'
    """
    several = name in ("auto", "cuda") and torch.cuda.device_count() > 1
    return f"cuda:{number % torch.cuda.device_count()}" if several else name


def describe_device(device: torch.device) -> str:
    """A device in words, `cpu (2 threads)` or `cuda:0 (name of the card)`."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 numbers by instructions of its own."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def resolve_precision(name: str, device: torch.device, stored: Precision | None = None) -> Precision:
    """The precision of a name: `fp32`, `bf16`, or `auto`: the model's own, else the fastest that the device has.

    Args:
        name: What was asked for.
        device: Where the network computes.
        stored: The precision that a model was validated in; None while it is being trained.

    Raises:
        ConfigError: There is no precision of that name.
    """
    if name not in ("auto", "fp32", "bf16"):
        raise ConfigError(None, "no such precision", key="--precision", found=name, expected="auto, fp32 or bf16",
                          fix="write --precision auto")  # fmt: skip
    if name == "auto":
        name = stored or ("bf16" if has_bf16(device) else "fp32")
    wanted: Precision = "bf16" if name == "bf16" else "fp32"
    if wanted == "bf16" and device.type == "mps":
        logger.warning("bf16 is not to be had on %s: translating in fp32, which may differ by a few HU", device)
        return "fp32"
    if wanted == "bf16" and not has_bf16(device):
        logger.warning("bf16 has no instructions of its own on %s: it is emulated, and slow", describe_device(device))
    return wanted
