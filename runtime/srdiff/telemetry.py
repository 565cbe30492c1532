"""Engines' libraries are imported here, so that none of them reports to its vendor or marks the machine.

OpenVINO's import looks up an analytics host and writes ``~/intel``; ONNX Runtime's keeps a device id and events in the
user's cache folder. A library inside other people's services opts out of both before it loads them.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any, Iterator

from .mindspore_log import keep_quiet
from .starting import is_command

_OPENVINO_SENDER = "openvino_telemetry"
_OPENVINO_CONVERTER = "openvino.tools.ovc"


def import_quietly(name: str) -> Any:
    """The module of an engine's library, which neither sends, nor keeps an id, nor prints what is not asked for.

    A program that wants OpenVINO's to send imports it before.

    Raises:
        ImportError: it is not installed, or does not load.
    """
    if name.startswith("mindspore"):
        keep_quiet()
    if name == "openvino":
        # Commands convert nothing; other programs may ask for openvino.convert_model.
        with _absent(_OPENVINO_SENDER), _absent(_OPENVINO_CONVERTER) if is_command() else nullcontext():
            return import_module(name)
    if name == "onnxruntime":
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    module = import_module(name)
    if hasattr(module, "disable_telemetry_events"):  # ONNX Runtime's, of Windows' own events
        module.disable_telemetry_events()
    return module


@contextmanager
def _absent(package: str) -> Iterator[None]:
    """As where the package is not installed: then OpenVINO takes a stub that does nothing."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # how Python notes that a module cannot be imported
    try:
        yield
    finally:
        del sys.modules[package]
