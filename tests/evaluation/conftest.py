"""Fixtures of the scores' tests."""

import pytest

from .pairs import make_pair


@pytest.fixture(params=[((40, 70, 50), "C"), ((70, 33, 101), "F"), ((9, 7, 8), "F")], ids=["C", "F", "tiny"])
def pair(request):
    shape, order = request.param
    return make_pair(shape, order)
