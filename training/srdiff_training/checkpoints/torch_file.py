"""Reads PyTorch checkpoints without running what a pickle may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from srdiff.errors import CheckpointError

_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"


def is_torch_file(path: Path) -> bool:
    """Whether the file begins like ``torch.save``'s: a zip archive, or a pickle in the legacy layout."""
    with path.open("rb") as file:
        head = file.read(4)
    return head == _ZIP_MAGIC or head[:1] == _PICKLE_MAGIC


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """The model's tensors, float32, by name; optimizer state and step count are left aside.

    Raises:
        CheckpointError: torch is not installed, or the file is damaged or holds more than tensors and numbers.
    """
    try:
        import torch
    except ImportError as error:
        raise CheckpointError(
            f"{path} is a PyTorch checkpoint and torch is not installed; run: pip install 'srdiff[torch]'"
        ) from error
    try:
        content = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises UnpicklingError, RuntimeError, EOFError, … for damaged files
        raise CheckpointError(
            f"{path} is damaged or holds more than plain tensors: torch's safe loader refused it "
            f"({type(error).__name__}); copy the file again, or save the model's state_dict alone"
        ) from error
    return {
        name: tensor.detach().to(torch.float32).numpy()
        for name, tensor in _model_state(content).items()
        if isinstance(name, str) and isinstance(tensor, torch.Tensor)
    }


def _model_state(content: Any) -> dict[str, Any]:
    """The state dict: the reference trainer nests it as ``{'state_dict': {'model': …}}``."""
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    return content if isinstance(content, dict) else {}
