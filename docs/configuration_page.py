"""Writes reference/configuration.md from the schema: `python docs/configuration_page.py`. A test checks that it was."""

import html
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from medp2p.config.schema import Config

PAGE = Path(__file__).parent / "reference" / "configuration.md"
OPENING = """\
# Configuration

One YAML file (1.2, without tags, aliases and repeated keys). Only `data` is required. Relative paths are relative to the file; in `--set` to the current folder. Unknown keys are refused with the nearest known one, and all faults are told at once, with their lines.

```console
$ medp2p config new mr2ct > mine.yaml
$ medp2p config show configs/mr2ct.yaml
```

The first prints a configuration with all its comments, the second one with everything filled in. `medp2p config schema` prints the JSON schema for editors; a first line `# yaml-language-server: $schema=medp2p.schema.json` makes them use it.
"""


MORE = {
    "data": """\
Either `folder`, `files` and `split`, or `cases`:

```yaml
data:
  sources: [mr]
  target: ct
  cases:
    - {id: S01, split: train, mr: S01_mr.nii.gz, ct: S01_ct.nii.gz, regions: S01_mask.nii.gz}
    - {id: S02, split: validation, patient: P2, mr: S02_mr.nii.gz, ct: S02_ct.nii.gz, allow: [hu_range]}
```

`split` of a case is `train`, `validation` or `test`; `allow` waives checks for it (`hu_range`, `body_overlap`). A CSV file has the same columns, and its paths are relative to it.

Shares are drawn by patient: in the order of the SHA-256 of `seed:patient` the first are test, the next validation, the rest train. A share above 0 gets at least one patient.
""",
    "intensity": """\
One entry per channel, by its name. A channel named `ct` or `cbct` is by default a window in HU, any other is mapped by its percentiles. As a target, a percentile map is undone with the training cohort's median limits.

```yaml
intensity:
  mr: {kind: percentile, low: 0.5, high: 99.5}              # per volume, over all its voxels
  ct: {kind: window, low: -1024, high: 3071, hu: true}      # HU -> [-1, 1], exactly undone
```
""",
}


def rows(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for key, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from rows(inner, f"{prefix}{key}.")
        else:
            yield prefix + key, field


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return f"`{json.dumps(to_jsonable_python(field.get_default(call_default_factory=True)))}`"


def table(section: type[BaseModel]) -> str:
    lines = ["| key | means | default |", "|---|---|---|"]
    for key, field in rows(section):
        meaning = html.escape(field.description or "", quote=False).replace("|", "\\|")
        lines.append(f"| `{key}` | {meaning} | {default(field)} |")
    return "\n".join(lines)


def page() -> str:
    parts = [OPENING]
    for name, field in Config.model_fields.items():
        parts.append(f"## {name}\n\n{(field.description or '').capitalize()}.\n")
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts.append(table(field.annotation) + "\n")
        if name in MORE:
            parts.append(MORE[name])
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
