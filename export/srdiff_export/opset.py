"""ONNX operator sets."""

MINDSPORE_OPSET = 11  # that its exporter writes, and the oldest that is written here
