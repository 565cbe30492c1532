"""The order of two imports."""

from __future__ import annotations

import contextlib

# Protobuf takes the generated code of both only in this order, and float16 graphs are made with onnx.
with contextlib.suppress(ImportError):
    import mindspore  # noqa: F401
