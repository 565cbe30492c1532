"""OpenVINO's own Mish in place of the form that the bundles hold, which every other engine takes."""

from __future__ import annotations

from typing import Any

import numpy as np


def fuse_mish(network: Any) -> int:
    """Replace every x * (1 - s^2) / (1 + s^2) with s = sigmoid(-x) in an ``openvino.Model`` by one Mish.

    The two are equal (Misra, arXiv 1908.08681). Of its own operation OpenVINO makes a part of the convolution before
    it; the other is a pass of its own through memory.

    Returns:
        How many were replaced.
    """
    try:
        from openvino import opset13
        from openvino.passes import AnyInput, Manager, Matcher, MatcherPass, WrapType
    except ImportError:  # OpenVINO 2024
        from openvino.runtime import opset13
        from openvino.runtime.passes import AnyInput, Manager, Matcher, MatcherPass, WrapType

    class MishFusion(MatcherPass):
        """One occurrence; ``x`` stands for the same value wherever it is named."""

        def __init__(self) -> None:
            super().__init__()
            self.replaced = 0
            x, one = AnyInput(), WrapType("opset13.Constant", _is_one)
            s = WrapType("opset13.Sigmoid", [WrapType("opset13.Negative", [x])])
            square = WrapType("opset13.Multiply", [s, s])
            numerator = WrapType("opset13.Subtract", [one, square])
            ratio = WrapType("opset13.Divide", [numerator, WrapType("opset13.Add", [one, square])])
            self._x = x
            self.register_matcher(Matcher(WrapType("opset13.Multiply", [x, ratio]), "MishFusion"), self._replace)

        def _replace(self, matcher: Any) -> bool:
            found = matcher.get_match_root()
            mish = opset13.mish(matcher.get_pattern_value_map()[self._x], name=found.get_friendly_name())
            for reader in found.output(0).get_target_inputs():
                reader.replace_source_output(mish.output(0))
            self.replaced += 1
            return True

    manager = Manager()
    fusion = manager.register_pass(MishFusion())
    manager.run_passes(network)
    return int(fusion.replaced)


def _is_one(output: Any) -> bool:
    return bool(np.all(output.get_node().get_data() == 1))
