"""MindIR files of the fakes: a true header, and the ONNX graph where the real ones have MindSpore's."""

from __future__ import annotations

import json
from typing import Any

from srdiff.wire_format import fields

_FACTS, _MODEL = 1000, 1001


def fake_mindir(
    model: bytes,
    shapes: list[dict[str, tuple[int, ...]]],
    mindspore: str = "2.0.0",
    mindir: int = 1,
    precision_mode: str = "",
) -> bytes:
    """A file.

    Args:
        model: the ONNX graph.
        shapes: of the inputs; several are profiles (``dynamic_dims``).
        mindspore, mindir: versions of the header.
        precision_mode: ACL's name, for a file that the converter compiled.
    """
    facts = json.dumps({"shapes": shapes, "precision_mode": precision_mode}).encode()
    text = mindspore.encode()
    header = b"\x2a" + bytes([len(text)]) + text + b"\x68" + bytes([mindir])
    return header + _field(_FACTS, facts) + _field(_MODEL, model)


def read_fake_mindir(content: bytes) -> tuple[dict[str, Any], bytes]:
    """(shapes and precision_mode, the ONNX graph). KeyError or ValueError for another file."""
    found = {field.number: content[field.begin : field.end] for field in fields(content)}
    return json.loads(found[_FACTS]), found[_MODEL]


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])
