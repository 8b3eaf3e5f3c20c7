"""Products of matrices in every order in memory, against float64."""

import pytest
import torch
from torch import Tensor

from medp2p.networks import products


def matrix(rows: int, columns: int, order: str) -> Tensor:
    """Noise in float64; row after row, column after column, or with gaps between the rows."""
    made = torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(rows * columns))
    return {"rows": made, "columns": made.t().contiguous().t(), "gaps": made.repeat(1, 2)[:, :columns]}[order]


@pytest.mark.parametrize("right_order", ["rows", "columns", "gaps"])
@pytest.mark.parametrize("left_order", ["rows", "columns", "gaps"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 48, 128), (48, 128, 1), (512, 4, 96), (64, 1024, 33)])
@pytest.mark.parametrize(("dtype", "apart"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2), (torch.float64, 1e-14)])
def test_a_product_is_that_of_float64(
    dtype: torch.dtype, apart: float, sizes: tuple[int, int, int], left_order: str, right_order: str
) -> None:
    rows, shared, columns = sizes
    left, right = matrix(rows, shared, left_order).to(dtype), matrix(shared, columns, right_order).to(dtype)
    wanted = left.double() @ right.double()
    made = products.product(left, right)
    assert made.dtype == dtype
    assert (made.double() - wanted).abs().max() <= apart * shared**0.5 * 4
    out = torch.full_like(made, torch.nan)
    assert products.product(left, right, out=out) is out
    assert torch.equal(out, made)


def test_without_onednn_torch_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_BY_ONEDNN", False)
    left, right = matrix(3, 5, "rows").float(), matrix(5, 2, "columns").float()
    assert torch.equal(products.product(left, right), left @ right)
