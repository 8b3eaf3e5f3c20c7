"""Small prepared cases, whose every pixel tells where it comes from."""

import numpy as np

from medp2p.data.entry import Entry
from medp2p.data.geometry import PlaneGrid
from medp2p.data.intensity import Limits
from medp2p.data.prepared import PreparedCase
from medp2p.data.store import PlaneStore


def prepared(count=3, size=(6, 5), channels=("mr", "ct"), seed=0, weights=None, spacing_mm=(1.0, 1.0)):
    values = np.random.default_rng(seed)
    grid = PlaneGrid((size[1], size[0], count), (spacing_mm[1], spacing_mm[0], 1.0))
    planes = {name: values.uniform(-1, 1, (count, *size)).astype(np.float32) for name in channels}
    return PreparedCase.of(grid, planes, weights, {name: Limits(0.0, 100.0 + n) for n, name in enumerate(channels)})


def stored(store, case="S01", **how) -> Entry:
    """A case of `prepared` in a store, or in the store of a folder."""
    store = store if isinstance(store, PlaneStore) else PlaneStore(store)
    content = {"mr": f"{case} of {sorted((key, str(value)) for key, value in how.items())}"}
    return store.entry(case, lambda: prepared(**how), settings={"plane": "axial"}, content=content)
