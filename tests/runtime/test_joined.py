"""One step: encoder and step as one graph, so that cond stays in the engine."""

from __future__ import annotations

import numpy as np
import pytest

from srdiff import Upscaler
from srdiff.doctor.golden import GOLDEN as GOLDEN_FOLDER
from srdiff.graph_io import COND, ENCODER, JOINED, LR, STEP, TIME_BIAS

pytest.importorskip("openvino")
BUNDLE = GOLDEN_FOLDER / "golden.srdiff"
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40, 3)).astype(np.uint8)


def opened(tile: int | None = None, joins: bool = True) -> Upscaler:
    upscaler = Upscaler.from_bundle(
        BUNDLE, engine="openvino", precision="fp32", tile=tile, overlap=None if tile is None else 4
    )
    upscaler.engine.joins = joins
    return upscaler


def graphs(upscaler: Upscaler) -> set[str]:
    return {name for name, *_ in upscaler._graphs._compiled}


@pytest.mark.parametrize("tile", [None, 16])
def test_the_same_picture_from_one_graph(tile: int | None) -> None:
    one, two = opened(tile), opened(tile, joins=False)
    ours, theirs = (upscaler.upscale(PIXELS, steps=1).astype(int) for upscaler in (one, two))
    assert np.abs(ours - theirs).max() <= 1  # rounded to 8 bits at the end
    assert graphs(one) == {JOINED} and graphs(two) == {ENCODER, STEP}


def test_more_steps_keep_two_graphs() -> None:
    upscaler = opened()
    upscaler.upscale(PIXELS, steps=2)
    assert graphs(upscaler) == {ENCODER, STEP}


def test_its_numbers_are_those_of_both_in_turn() -> None:
    upscaler = opened()
    shapes = upscaler.bundle.manifest.input_shapes
    rng = np.random.default_rng(1)
    inputs = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes(STEP, 8, 12).items()}
    lr = rng.uniform(-1, 1, shapes(ENCODER, 8, 12)[LR]).astype(np.float32)
    found = upscaler.graph(JOINED, 8, 12).run({LR: lr, **{name: inputs[name] for name in inputs if name != COND}})
    inputs[COND] = upscaler.graph(ENCODER, 8, 12).run({LR: lr})[COND]
    expected = upscaler.graph(STEP, 8, 12).run(inputs)
    assert set(found) == set(expected) and TIME_BIAS in inputs
    for name, array in expected.items():
        # The same operations; the compiler may sum in another order: measured 0, float32 allows some 1e-6.
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-4 * np.abs(array).max())
