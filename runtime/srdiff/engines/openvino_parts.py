"""A bundle's two graphs joined, and parted elsewhere than the bundle does, as ``openvino.Model``s."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph_io import COND, FEATURES, LR, Shapes


def joined(encoder: Any, step: Any) -> Any:
    """Both as one: the encoder's result in the place of the step's cond."""
    inputs = [parameter.output(0) for parameter in step.get_parameters()]
    # By name: == between nodes of OpenVINO 2024.3 and older is one more node, which compares tensors.
    others = [place.get_node() for place in inputs if COND not in place.get_names()]
    for place in inputs:
        if COND in place.get_names():
            place.replace(encoder.get_results()[0].input_value(0))
    return type(step)(step.get_results(), [*encoder.get_parameters(), *others])


def head(encoder: Any, shapes: Shapes) -> Any:
    """lr -> features: the encoder up to the last tensor of lr's height and width that all of cond is made from."""
    opset = _opset()
    features = _features(encoder, shapes)
    features.get_tensor().add_names({FEATURES})
    return type(encoder)([opset.result(features)], encoder.get_parameters())


def tail(encoder: Any, shapes: Shapes) -> Any:
    """features -> cond: what the encoder does after :func:`head`."""
    opset = _opset()
    features = _features(encoder, shapes)
    parameter = opset.parameter(features.get_shape(), np.float32)
    parameter.output(0).get_tensor().add_names({FEATURES})
    for reader in features.get_target_inputs():
        reader.replace_source_output(parameter.output(0))
    return type(encoder)(encoder.get_results(), [parameter])


def _features(encoder: Any, shapes: Shapes) -> Any:
    """Where ways branch before there is such a tensor, it is lr itself."""
    encoder.reshape({LR: list(shapes[LR])})
    (parameter,) = encoder.get_parameters()
    from_lr = {_node(parameter.output(0))}
    for node in encoder.get_ordered_ops():
        if any(_node(value) in from_lr for value in node.input_values()):
            from_lr.add(node.get_friendly_name())
    place = encoder.get_results()[0].input_value(0)
    while tuple(place.get_shape())[2:] != shapes[LR][2:]:
        sources = [value for value in place.get_node().input_values() if _node(value) in from_lr]
        if len(sources) != 1:
            return parameter.output(0)
        place = sources[0]
    return place


def _node(value: Any) -> str:
    """Its name, by which a node is known again: each look at it is another object."""
    name: str = value.get_node().get_friendly_name()
    return name


def _opset() -> Any:
    try:
        from openvino import opset13
    except ImportError:  # OpenVINO 2024
        from openvino.runtime import opset13
    return opset13
