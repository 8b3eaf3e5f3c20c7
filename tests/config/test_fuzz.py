"""Whatever stands in a configuration: it is loaded, or refused by us; never anything else."""

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.config import Config, config_from_mapping, shipped, to_yaml
from medp2p.config.strict_yaml import scan_yaml
from medp2p.errors import Medp2pError

from .conftest import sound

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from(["mr", "ct", "id", "split", "kind", "low", "metric", "groups", "1", "regions", ""]) | st.text(
    max_size=4
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
SCRATCHES = ["", "\n", ":", "{", "]", "&", "*", "!", "#", "'", "\t", " ", "%", "-", "\x00", "é", "0"]
PLACES = [
    (name, key)
    for name, field in Config.model_fields.items()
    for key in (None, "mr", *getattr(field.annotation, "model_fields", {}))
]


@given(place=st.sampled_from(PLACES), value=VALUES)
def test_any_value_at_any_place_is_taken_or_refused(place: tuple[str, str | None], value: object) -> None:
    section, key = place
    content = sound()
    if key is None:
        content[section] = value
    else:
        content.setdefault(section, {})[key] = value
    with contextlib.suppress(Medp2pError):
        to_yaml(config_from_mapping(content))


@given(text=st.text(alphabet="abc.=[]{},:'\"\\ 019-\n\t", max_size=20))
def test_any_override_is_taken_or_refused(text: str) -> None:
    with contextlib.suppress(Medp2pError):
        config_from_mapping(sound(), [f"data.patient={text}", text])


@pytest.mark.parametrize("seed", range(100))
def test_a_damaged_file_is_read_or_refused(seed: int) -> None:
    draw = random.Random(seed)
    text = list(shipped("mr2ct"))
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(len(text))
        text[place] = draw.choice(
            ["", "\n", ":", "{", "]", "&", "*", "!", "#", "'", "\t", " ", "%", "-", "\x00", "é", "0"]
        )
    with contextlib.suppress(Medp2pError):
        document, _ = scan_yaml("".join(text), "run.yaml")
        config_from_mapping(document.content if isinstance(document.content, dict) else {})
