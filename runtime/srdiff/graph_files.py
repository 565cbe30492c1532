"""What a manifest says of an exported pair of graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import OptionError
from .whole import whole

FORMATS = ("onnx", "mindir", "om")
PRECISIONS = ("fp32", "fp16")  # that a converter compiles in
MAX_FILE_NAME = 200
MAX_SIDE = 65536


@dataclass(frozen=True)
class GraphFiles:
    """One exported pair of graphs.

    Attributes:
        format: ``onnx``, ``mindir``, or ``om`` (which no engine here runs).
        encoder, step: file names in the bundle; graphs of several sizes are named once for each.
        lr_shape: the static (height, width) of lr; None where the graphs take any size.
        precision: of the network, ``fp32`` or ``fp16``, where a converter has compiled it in; None where the engine
            decides.
    """

    format: str
    encoder: str
    step: str
    lr_shape: tuple[int, int] | None = None
    precision: str | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS or self.precision not in (None, *PRECISIONS):
            raise OptionError(f"a graph has the format {self.format!r} and the precision {self.precision!r}")
        for file in (self.encoder, self.step):
            if not isinstance(file, str) or len(file) > MAX_FILE_NAME:
                raise OptionError(f"a graph's file is {str(file)[:50]!r}; it must be a name")
        for side in self.lr_shape or ():
            whole("lr_shape", side, 1, MAX_SIDE)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GraphFiles:
        """Raises KeyError, TypeError, ValueError or OptionError for what does not fit."""
        shape = data["lr_shape"]
        lr_shape = None if shape is None else tuple(shape)
        if lr_shape is not None and len(lr_shape) != 2:
            raise ValueError(f"a graph's lr_shape has {len(lr_shape)} sides")
        return cls(data["format"], data["encoder"], data["step"], lr_shape, data.get("precision"))
