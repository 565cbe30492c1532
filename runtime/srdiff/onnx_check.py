"""What an ONNX graph may be before an engine sees it: a plain, acyclic network that holds its own weights.

Engines follow references to other files, read process memory where a weight claims to lie there, run loops, and reserve
what a graph asks for. So a graph is read here first, field by field, with no library for it (message and field numbers:
onnx.proto, version 1.16).
"""

from __future__ import annotations

from typing import Iterator, Mapping, NamedTuple

import numpy as np

from .wire_format import Field, fields, varint

# What the exporter writes; each gives a result about as large as what goes into it.
OPERATORS = {
    *(
        "Add",
        "Cast",
        "Concat",
        "Constant",
        "Conv",
        "ConvTranspose",
        "DepthToSpace",
        "Div",
        "MatMul",
        "Max",
        "Min",
        "Mul",
    ),
    *("Neg", "Reshape", "Sigmoid", "Slice", "Softmax", "Sub", "Transpose"),
}
DOMAINS = (b"", b"ai.onnx")
MAX_NODES = 20_000  # the model card's step graph has 1,000
MAX_NAME = 1_000
MAX_INPUTS = 64  # of a node
MAX_RANK = 8
LARGEST = {"strides": 64, "dilations": 64, "pads": 64, "kernel_shape": 64, "output_padding": 64, "blocksize": 64}

FLOAT = 1  # TensorProto.DataType
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}  # by DataType
_FLOATS = {1: "<f4", 10: "<f2", 11: "<f8"}

# Field numbers.
_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 20, 25
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE = 1, 5, 11, 12, 15
_NODE_INPUT, _NODE_OUTPUT, _OP_TYPE, _ATTRIBUTE, _DOMAIN = 1, 2, 4, 5, 7
_ATTRIBUTE_NAME, _INT, _TENSOR, _INTS = 1, 3, 5, 8
_PLAIN_ATTRIBUTES = (1, 2, 3, 4, 5, 7, 8, 9, 13, 20)  # name, f, i, s, t, floats, ints, strings, doc_string, type
_DIMS, _DATA_TYPE, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 13, 14


class _Value(NamedTuple):
    """An input or output of the graph; a free axis is None."""

    name: str
    kind: int
    shape: tuple[int | None, ...]


def check_onnx(model: bytes, takes: tuple[str, ...], gives: tuple[str, ...], channels: Mapping[str, int]) -> None:
    """Look through an ONNX file.

    Args:
        model: its bytes.
        takes, gives: the names that its inputs and outputs must have, in order; see :mod:`srdiff.graph_io`.
        channels: of each of them.

    Raises:
        ValueError: what it holds that it may not, or lacks.
    """
    reader = _Reader(model)
    parts = [field for field in fields(model) if field.number in (_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS)]
    if [part.number for part in parts] != [_MODEL_GRAPH]:
        raise ValueError("it does not hold one graph and nothing else that computes")
    nodes: list[Field] = []
    known: set[str] = set()
    inputs: list[_Value] = []
    outputs: list[_Value] = []
    for field in reader.message(parts[0]):
        if field.number == _NODE:
            nodes.append(field)
        elif field.number == _INITIALIZER:
            known.add(reader.tensor(field))
        elif field.number == _INPUT:
            inputs.append(reader.value(field))
        elif field.number == _OUTPUT:
            outputs.append(reader.value(field))
        elif field.number == _SPARSE:
            raise ValueError("it has sparse weights")
    if len(nodes) > MAX_NODES:
        raise ValueError(f"it has {len(nodes)} nodes, more than {MAX_NODES}")
    inputs = [value for value in inputs if value.name not in known]  # older exporters list weights there, too
    _require(inputs, takes, channels, "takes")
    _require(outputs, gives, channels, "gives")
    known.update(value.name for value in inputs)
    for node in nodes:
        reader.node(node, known)
    missing = [value.name for value in outputs if value.name not in known]
    if missing:
        raise ValueError(f"no node makes its output {missing[0]}")


def _require(values: list[_Value], names: tuple[str, ...], channels: Mapping[str, int], verb: str) -> None:
    found = tuple(value.name for value in values)
    if found != names:
        raise ValueError(f"it {verb} {', '.join(found)[:200] or 'nothing'} instead of {', '.join(names)}")
    for value in values:
        batch_and_channels = value.shape[:2]
        if value.kind != FLOAT or len(value.shape) != 4 or batch_and_channels != (1, channels[value.name]):
            raise ValueError(
                f"its {value.name} is of type {value.kind} and shape {value.shape} where float32 and "
                f"(1, {channels[value.name]}, …, …) were expected"
            )


class _Reader:
    def __init__(self, model: bytes) -> None:
        self._model = model

    def message(self, field: Field) -> Iterator[Field]:
        if field.value is not None:
            raise ValueError(f"field {field.number} is a number where a message was expected")
        return fields(self._model, field.begin, field.end)

    def text(self, field: Field) -> str:
        if field.value is not None or field.end - field.begin > MAX_NAME:
            raise ValueError(f"a name is longer than {MAX_NAME} bytes, or none")
        return self._model[field.begin : field.end].decode("utf-8")

    def numbers(self, field: Field) -> list[int]:
        """A repeated integer, whether packed or not."""
        if field.value is not None:
            return [field.value]
        found, position = [], field.begin
        while position < field.end:
            number, position = varint(self._model, position, field.end)
            found.append(number)
        return found

    def node(self, field: Field, known: set[str]) -> None:
        """Checks a node, whose inputs must be known before, and adds its outputs."""
        operator, inputs, outputs = "", [], []
        for part in self.message(field):
            if part.number == _NODE_INPUT:
                inputs.append(self.text(part))
            elif part.number == _NODE_OUTPUT:
                outputs.append(self.text(part))
            elif part.number == _OP_TYPE:
                operator = self.text(part)
            elif part.number == _DOMAIN and self._model[part.begin : part.end] not in DOMAINS:
                raise ValueError("a node is of a domain of its own")
            elif part.number == _ATTRIBUTE:
                self._attribute(part)
        if operator not in OPERATORS:
            raise ValueError(f"it has the operator {operator[:50]!r}, which no export writes")
        if len(inputs) > MAX_INPUTS or len(outputs) != 1:
            raise ValueError(f"a {operator} has {len(inputs)} inputs and {len(outputs)} outputs")
        unknown = [name for name in inputs if name and name not in known]
        if unknown:
            raise ValueError(f"a {operator} takes {unknown[0][:50]!r}, which nothing before it makes")
        if outputs[0] in known:
            raise ValueError(f"two nodes make {outputs[0][:50]!r}")
        known.add(outputs[0])

    def _attribute(self, field: Field) -> None:
        name, numbers = "", []
        for part in self.message(field):
            if part.number not in _PLAIN_ATTRIBUTES:
                raise ValueError("a node holds a graph, a reference or a sparse weight")
            if part.number == _ATTRIBUTE_NAME:
                name = self.text(part)
            elif part.number in (_INT, _INTS):
                numbers += self.numbers(part)
            elif part.number == _TENSOR:
                self.tensor(part)
        if numbers and max(numbers) > LARGEST.get(name, 1 << 64):
            raise ValueError(f"a node's {name} is {max(numbers)}, more than {LARGEST[name]}")

    def tensor(self, field: Field) -> str:
        """Checks a weight, and returns its name."""
        name, dims, kind, content = "", [], 0, None
        for part in self.message(field):
            if part.number in (_EXTERNAL, _LOCATION) and part.value != 0:
                raise ValueError("a weight lies in another file")
            if part.number == _DIMS:
                dims += self.numbers(part)
            elif part.number == _DATA_TYPE:
                kind = part.value or 0
            elif part.number == _NAME:
                name = self.text(part)
            elif part.number == _RAW:
                content = part
        if kind not in _BYTES or len(dims) > MAX_RANK:
            raise ValueError(f"the weight {name[:50]!r} is of type {kind} and rank {len(dims)}")
        claimed = 1
        for dim in dims:
            claimed *= dim
        raw = None if content is None else content.end - content.begin
        held = field.end - field.begin if raw is None else raw // _BYTES[kind]
        if claimed > held or (raw is not None and claimed * _BYTES[kind] != raw):
            raise ValueError(f"the weight {name[:50]!r} claims {claimed} numbers and holds {held}")
        if kind in _FLOATS and content is not None:
            numbers = np.frombuffer(self._model, _FLOATS[kind], claimed, content.begin)
            if not np.isfinite(numbers).all():
                raise ValueError(f"the weight {name[:50]!r} holds values that are not finite")
        return name

    def value(self, field: Field) -> _Value:
        """A graph input's or output's name, type and shape (ValueInfoProto)."""
        name, kind, shape = "", 0, []
        for part in self.message(field):
            if part.number == 1:
                name = self.text(part)
            elif part.number == 2:
                for tensor in self.message(part):
                    if tensor.number != 1:
                        raise ValueError(f"its {name[:50]} is no tensor")
                    for detail in self.message(tensor):
                        if detail.number == 1:
                            kind = detail.value or 0
                        elif detail.number == 2:
                            shape = [self._axis(axis) for axis in self.message(detail)]
        return _Value(name, kind, tuple(shape))

    def _axis(self, field: Field) -> int | None:
        sizes = [part.value for part in self.message(field) if part.number == 1]
        return sizes[0] if sizes else None
