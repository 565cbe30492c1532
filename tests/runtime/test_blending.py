"""Windows' results in a band one window high give what two whole images would."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from srdiff.blending import Blending
from srdiff.tiles import cut, fit_tile

even = st.integers(5, 60).map(lambda half: 2 * half)


@given(height=even, width=even, tile=st.integers(5, 30).map(lambda half: 2 * half), overlap=st.sampled_from([0, 2, 4]))
def test_the_image_is_read_as_it_was_and_ends_as_the_sum(height, width, tile, overlap):
    shape = (fit_tile(height, tile, overlap, 2), fit_tile(width, tile, overlap, 2))
    windows = cut(height, width, shape, overlap, 2, 2)
    rng = np.random.default_rng(0)
    image = rng.standard_normal((3, 2 * height, 2 * width)).astype(np.float32)
    blending = Blending(image, 2 * shape[0], 2)
    for _ in range(2):  # steps
        before, expected = image.copy(), np.zeros_like(image)
        for window in windows:
            np.testing.assert_array_equal(window.hr(image, 2), window.hr(before, 2))
            result = rng.standard_normal(window.hr(image, 2).shape).astype(np.float32)
            window.hr(expected, 2)[...] += result * window.row_weight[:, None] * window.column_weight
            blending.add(window, result)
        blending.finish()
        np.testing.assert_array_equal(image, expected)
