import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medp2p.data.geometry import PlaneGrid
from medp2p.data.intensity import IntensityMap
from medp2p.data.planes import channel_planes, planes


@given(st.integers(1, 6), st.integers(0, 3), st.integers(1, 3), st.data())
def test_channels_are_each_sources_slices_in_order_with_the_ends_repeated(count, context, sources, data):
    index = data.draw(st.integers(0, count - 1))
    stacks = [np.arange(count, dtype=np.float32).reshape(-1, 1, 1) + 100 * s for s in range(sources)]
    expected = [
        100 * s + min(max(index + offset, 0), count - 1)
        for s in range(sources)
        for offset in range(-context, context + 1)
    ]
    assert planes(stacks, index, context).ravel().tolist() == expected


def test_a_channel_is_fitted_to_the_whole_scan_before_it_is_resampled():
    voxels = np.zeros((8, 8, 2), np.int16)
    voxels[2:6, 2:6] = 100
    seen = channel_planes(voxels, PlaneGrid((8, 8, 2), (1, 1, 1), "axial", (2, 2)), IntensityMap("percentile", 0, 100))
    assert seen.shape == (2, 4, 4)
    assert seen.min() >= -1.0
    assert seen[:, 1:3, 1:3].min() > 0.0
