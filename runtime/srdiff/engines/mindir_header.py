"""Who wrote a MindIR file and in which version of the format: the few fields that a refusal must name."""

from __future__ import annotations

from dataclasses import dataclass

from ..wire_format import fields

# Field numbers of ModelProto in MindSpore's mind_ir.proto; a file of MindSpore 2.0 or later has both.
_MODEL_VERSION = 5
_MIND_IR_VERSION = 13


@dataclass(frozen=True)
class MindIRHeader:
    """Versions in a MindIR file.

    Attributes:
        mindspore: version of the MindSpore that wrote it, like ``2.0.0``.
        mindir: version of the format, like 1.
    """

    mindspore: str
    mindir: int

    def __str__(self) -> str:
        return f"MindIR version {self.mindir} by MindSpore {self.mindspore}"


def read_mindir_header(model: bytes) -> MindIRHeader:
    """The versions in a MindIR file's bytes.

    Raises:
        ValueError: these are not the bytes of a whole MindIR file.
    """
    found = {field.number: field for field in fields(model)}
    mindspore, mindir = found.get(_MODEL_VERSION), found.get(_MIND_IR_VERSION)
    if mindspore is None or mindspore.value is not None or mindir is None or mindir.value is None:
        raise ValueError("it has no MindIR version")
    return MindIRHeader(model[mindspore.begin : mindspore.end].decode("utf-8"), mindir.value)
