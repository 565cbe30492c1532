"""A checkpoint file of any kind as arrays by name."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import numpy as np

from srdiff.bundle import MANIFEST_NAME
from srdiff.errors import CheckpointError
from srdiff.looking import is_file

from .foreign_files import HEAD, foreign_kind
from .mindspore_file import FileContent, is_mindspore_file, read_mindspore_file
from .safetensors_file import is_safetensors_file, read_safetensors_file
from .torch_file import is_torch_file, read_torch_file

Tensors = Dict[str, np.ndarray]


def read_tensors(path: Path) -> Tensors:
    """Every array of a MindSpore or PyTorch checkpoint, float32, by its name in the file.

    Raises:
        CheckpointError: the file is missing, damaged or something else.
    """
    return read_file(path).tensors


def read_file(path: Path) -> FileContent:
    """Arrays as :func:`read_tensors`, and the words that MindSpore puts beside them.

    Raises:
        CheckpointError: the file is missing, damaged or something else.
    """
    head = _head(path)
    kind = foreign_kind(head)
    if kind is not None:
        raise CheckpointError(f"{path} {kind}")
    if is_torch_file(head):
        return FileContent(read_torch_file(path), {})
    if is_safetensors_file(head):
        return FileContent(read_safetensors_file(path), {})
    if is_mindspore_file(head):
        return read_mindspore_file(path)
    raise CheckpointError(
        f"{path} is neither a MindSpore nor a PyTorch checkpoint, nor safetensors; give the file that training wrote"
    )


def _head(path: Path) -> bytes:
    if is_file(path / MANIFEST_NAME):
        raise CheckpointError(f"{path} is a bundle, made from a checkpoint; give the checkpoint")
    if not is_file(path):
        raise CheckpointError(f"{path} is not a file; give the path of a checkpoint")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); see its permissions") from error
    if not head:
        raise CheckpointError(f"{path} is empty; give another copy of it")
    return head
