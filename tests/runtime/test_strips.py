"""Rows shared out to threads: each once, whatever the threads, and what fails is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srdiff.strips import in_strips


@given(height=st.integers(1, 60), rows=st.integers(1, 20), threads=st.integers(1, 5))
def test_every_row_is_made_once(height: int, rows: int, threads: int) -> None:
    made = np.zeros(height, int)

    def make(top: int, size: int) -> None:
        assert size <= rows
        made[top : top + size] += 1

    in_strips(make, height, rows, threads)
    assert made.tolist() == [1] * height


@pytest.mark.parametrize("threads", [1, 3])
def test_what_a_strip_raises_is_raised(threads: int) -> None:
    def make(top: int, size: int) -> None:
        if top == 20:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        in_strips(make, 40, 10, threads)
