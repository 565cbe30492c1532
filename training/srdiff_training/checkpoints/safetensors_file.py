"""``.safetensors``, by the library of that name, which checks what the file says of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from srdiff.errors import CheckpointError, PackageError

from .to_float32 import bfloat16_to_float32, to_float32

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
_DTYPES.update({"I8": "i1", "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?"})


def is_safetensors_file(head: bytes) -> bool:
    """Whether the file begins with the length of a header of JSON, and that with a brace."""
    return head[8:9] == b"{" and head[4:8] == bytes(4)


def read_safetensors_file(path: Path) -> dict[str, np.ndarray]:
    """The tensors, float32, by name.

    Raises:
        CheckpointError: the file is damaged, or has numbers of a type that is not read.
        PackageError: the library is not installed.
    """
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError as error:
        raise PackageError(f"{path} needs the package safetensors; run: pip install 'srdiff[train]'") from error
    try:
        stored = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged or cut short ({error}); check that the file is complete") from error
    found = {}
    for name, tensor in stored:
        if tensor["dtype"] not in _DTYPES:
            raise CheckpointError(
                f"{path} has a tensor {name} of type {tensor['dtype']}, which is not read; save it as float32"
            )
        array = np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
        found[name] = bfloat16_to_float32(array) if tensor["dtype"] == "BF16" else to_float32(array)
    return found
