"""Cases of an nnU-Net raw data set: `imagesTr/<case>_0000.nii.gz`, `labelsTr/<case>.nii.gz`, `dataset.json`.

Source: nnU-Net v2, documentation/dataset_format.md.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from medp2p.config.text_file import read_text
from medp2p.data.layouts.names import named_cases
from medp2p.data.layouts.tree import TreeCase
from medp2p.errors import ConfigError, Fault, FileError, fault

_LARGEST_JSON_BYTES = 50_000_000
_LABELS = "labelsTr/{case}"


def nnunet_cases(
    folder: Path, channels: Sequence[str], files: Mapping[str, Sequence[str]]
) -> tuple[list[TreeCase], list[Fault]]:
    """A case for each that is in `imagesTr`.

    What `data.files` says of a channel is its name in `dataset.json`, in any case of letters, or a pattern with
    `{case}` in it; by default its own name. Label maps are the regions, unless a channel lies among them.
    """
    try:
        numbers = _channel_numbers(folder / "dataset.json")
    except (ConfigError, FileError) as error:
        return [], list(error.faults)
    patterns: dict[str, Sequence[str]] = {"regions": (_LABELS,), **files}
    faults = []
    for channel in channels:
        said = next(iter(files.get(channel, (channel,))))
        if "{case}" in said:
            continue
        number = numbers.get(said.lower())
        if number is None:
            faults.append(
                fault(folder / "dataset.json", f"no channel of this name for {channel}", found=", ".join(numbers),
                      expected=said, fix="write its name there, or a pattern with {case}, in data.files")
            )  # fmt: skip
            continue
        patterns[channel] = (f"imagesTr/{{case}}_{number:04d}",)
    if any(next(iter(patterns.get(channel, ("",)))).startswith("labelsTr/") for channel in channels):
        patterns = {name: said for name, said in patterns.items() if name != "regions" or name in files}
    return ([], faults) if faults else named_cases(folder, channels, patterns)


def _channel_numbers(path: Path) -> dict[str, int]:
    """The number of each channel by its name in lower case; version 1 called the table `modality`."""
    if not path.is_file():
        raise FileError(path.parent, "this is no raw data set of nnU-Net", expected="dataset.json and imagesTr in it",
                        fix="name the folder of the data set itself")  # fmt: skip
    try:
        content = json.loads(read_text(path, limit=_LARGEST_JSON_BYTES))
        table = content.get("channel_names") or content["modality"]
        return {str(name).lower(): int(number) for number, name in table.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ConfigError(path, "no channels in it", expected='"channel_names": {"0": "T1", …}',
                          fix="take the dataset.json that nnU-Net reads") from None  # fmt: skip
