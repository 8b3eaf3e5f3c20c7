"""Which runtime computes a network on this machine: the one asked for, one that was measured and remembered, or a rule.

The choice must not change from call to call, since in bf16 each runtime rounds in its own way. So nothing is measured
that could not be remembered: without a folder `medp2p` in the user's cache the rule decides.
"""

import copy
import hashlib
import json
import logging
import os
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

from medp2p.device import Precision, describe_device, has_bf16
from medp2p.errors import ConfigError, Medp2pError
from medp2p.io.atomic import write_json
from medp2p.io.json_read import read_object
from medp2p.translation.runtime import compile_network, fitting, runtimes

logger = logging.getLogger(__name__)

FILE = "runtimes.json"
_SLICES, _ROUNDS = 8, 3
_CLEARLY = 1.05
"""Faster by this factor than what the rule says, or the rule stands."""
_LARGEST_BYTES = 1 << 20
_remembered: dict[str, "Choice"] = {}


@dataclass(frozen=True)
class Choice:
    """A runtime, and why.

    Attributes:
        runtime: A name of `medp2p.translation.runtime.runtimes`.
        why: `asked for`, `rule` or `measured`.
        slices_per_second: What was measured, by runtime; empty where nothing was.
    """

    runtime: str
    why: str
    slices_per_second: dict[str, float]


def choose(
    network: nn.Module,
    precision: Precision,
    device: torch.device,
    *,
    channels: int,
    size: tuple[int, int] = (256, 256),
    runtime: str = "auto",
) -> Choice:
    """The runtime for a network here.

    Args:
        network: As `compile_network` takes it; it is left as it is.
        precision: `fp32` or `bf16`.
        device: Where the network is.
        channels: Of its input.
        size: Height and width of slices to measure with.
        runtime: A name, or `auto`.

    Raises:
        ConfigError: There is no such runtime, or it does not fit the network or the device.
    """
    there = fitting(network, device, precision)
    if runtime != "auto":
        if runtime not in there:
            known = "it does not fit this network on this device" if runtime in runtimes else "there is no such runtime"
            raise ConfigError(None, known, key="--runtime", found=runtime, expected=", ".join(("auto", *there)),
                              fix="write --runtime auto")  # fmt: skip
        return Choice(runtime, "asked for", {})
    foreknown = foreseen(network, precision, device)
    if foreknown.why == "measured" or len(there) == 1 or cache_folder() is None:
        return foreknown
    found = _best(measure(network, precision, device, channels=channels, size=size), foreknown.runtime)
    logger.info("runtime: %s, measured once for this machine and network", found.runtime)
    key = _key(network, precision, device)
    _write(key, found)
    _remembered[key] = found
    return found


def foreseen(network: nn.Module, precision: Precision, device: torch.device) -> Choice:
    """What `auto` is here without measuring: what was remembered, or a rule. The network needs no weights."""
    there, key = fitting(network, device, precision), _key(network, precision, device)
    found = _remembered.get(key) or _read().get(key)
    if found is None or found.runtime not in there:
        return Choice(by_rule(there, precision, device), "rule", {})
    _remembered[key] = found
    return found


def by_rule(there: list[str], precision: Precision, device: torch.device) -> str:
    """The runtime that was fastest on machines of this kind: packed where the processor has the precision, else folded.

    OpenVINO is asked for, or found by measuring: it was not faster than packed where that could be compared.
    """
    if "packed" in there and (precision == "fp32" or has_bf16(device)):
        return "packed"
    return "folded" if "folded" in there else "plain"


def measure(
    network: nn.Module, precision: Precision, device: torch.device, *, channels: int, size: tuple[int, int]
) -> dict[str, float]:
    """Slices a second of every runtime that fits, in turns; the network is left as it is."""
    slices = torch.zeros((_SLICES, channels, *size), device=device).contiguous(memory_format=torch.channels_last)
    built = {
        name: compile_network(copy.deepcopy(network), precision, device, runtime=name)
        for name in fitting(network, device, precision)
        if name != "plain"  # never faster than folded
    }
    seconds: dict[str, list[float]] = {name: [] for name in built}
    with torch.inference_mode():
        for turn in range(_ROUNDS + 1):
            for name, compute in built.items():
                start = perf_counter()
                compute(slices).cpu()
                if turn:  # the first one warms up
                    seconds[name].append(perf_counter() - start)
    return {name: round(_SLICES / statistics.median(each), 1) for name, each in seconds.items()}


def _best(speeds: dict[str, float], ruled: str) -> Choice:
    fastest = max(speeds, key=speeds.__getitem__, default=ruled)
    clearly = speeds.get(fastest, 0.0) > _CLEARLY * speeds.get(ruled, 0.0)
    return Choice(fastest if clearly else ruled, "measured", speeds)


def cache_folder() -> Path | None:
    """Where measurements are remembered: `medp2p` in the user's cache, if that is there and can be written."""
    given = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(given) if given else Path.home() / ".cache") / "medp2p"
        return folder if folder.is_dir() and os.access(folder, os.W_OK) else None
    except (RuntimeError, OSError):  # nobody has a home here, or none that may be looked into
        return None


def _key(network: nn.Module, precision: Precision, device: torch.device) -> str:
    """The machine and the network in words; a name of neither."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    processor = hashlib.sha256(json.dumps(capabilities, sort_keys=True, default=str).encode()).hexdigest()[:12]
    shapes = json.dumps([[name, list(each.shape)] for name, each in network.state_dict().items()])
    kind = f"{type(network).__name__}-{hashlib.sha256(shapes.encode()).hexdigest()[:12]}"
    return f"{describe_device(device)}, processor {processor}, torch {torch.__version__}, {kind}, {precision}"


def _read() -> dict[str, Choice]:
    """What was remembered; nothing where the file is not there or not one of ours."""
    folder = cache_folder()
    found = None if folder is None else read_object(folder / FILE, most_bytes=_LARGEST_BYTES)
    try:
        return {key: _choice_of(entry) for key, entry in (found or {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _choice_of(entry: dict[str, Any]) -> Choice:
    speeds = {str(name): float(speed) for name, speed in entry["slices_per_second"].items()}
    return Choice(str(entry["runtime"]), "measured", speeds)


def _write(key: str, choice: Choice) -> None:
    folder = cache_folder()
    if folder is None:
        return
    known = {name: asdict(each) for name, each in (_read() | {key: choice}).items()}
    try:
        write_json(folder / FILE, known)
    except Medp2pError as error:
        logger.debug("the measurement is not remembered: %s", error)
