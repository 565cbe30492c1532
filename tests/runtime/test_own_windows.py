"""Windows where nobody asks for any: they go with every model that opens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srdiff import Bundle, OptionError, Upscaler
from srdiff import upscaler as upscaler_module
from srdiff.doctor.golden import golden_bundle
from srdiff.engines import Engine, Graph
from srdiff.graph_io import Shapes


class NoEngine(Engine):
    """Opened on nothing, since windows are chosen before anything is compiled."""

    name = device = "none"
    precision = "fp32"

    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        raise NotImplementedError


def opened(bundle: Bundle, workspace: float | None = None, **windows: Any) -> Upscaler:
    engine = NoEngine()
    engine.workspace = workspace
    return Upscaler(bundle, engine, **windows)


@given(
    hr_multiple=st.integers(1, 11).map(lambda power: 2**power) | st.integers(1, 2000),
    scale=st.integers(1, 8),
    overlap=st.none() | st.integers(0, 255) | st.integers(0, 8).map(lambda eighth: 32 * eighth),
    gibibytes=st.none() | st.sampled_from([0.5, 8, 512]),
)
def test_a_manifest_that_opens_has_windows_that_go(hr_multiple, scale, overlap, gibibytes) -> None:
    bundle = golden_bundle()
    sizes = {"scale": scale, "hr_multiple": hr_multiple, "hr_minimum": hr_multiple}
    multiple = replace(bundle.manifest, **sizes).lr_multiple
    if overlap is not None and (overlap % multiple or overlap > 255):
        with pytest.raises(OptionError, match=f"overlap is {overlap}; it must be"):
            replace(bundle.manifest, overlap=overlap, **sizes)
        return
    bundle.manifest = replace(bundle.manifest, overlap=overlap, **sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upscaler_module, "usable_memory", lambda: (gibibytes or 0) * 2**30)
        upscaler = opened(bundle, None if gibibytes is None else 40.0)
    assert upscaler.overlap == overlap or (overlap is None and 32 <= upscaler.overlap < 32 + multiple)
    assert upscaler.tile > 2 * upscaler.overlap and upscaler.tile % multiple == 0


def test_windows_that_somebody_asks_for_are_refused_where_they_do_not_go() -> None:
    for windows in ({"overlap": 600}, {"overlap": 9, "tile": 128}, {"tile": 64}):
        bundle = golden_bundle()
        bundle.manifest = replace(bundle.manifest, scale=1)
        with pytest.raises(OptionError, match=r"was asked for.*: take"):
            opened(bundle, **windows)
