"""Shared by the tests of networks and data."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Iterator

import pytest
import skimage.data
from PIL import Image

from .preprocessing import save

with suppress(ImportError):
    import torch

    torch.set_num_threads(1)  # on small tensors a second thread waits for MindSpore's and costs a hundred times more


@pytest.fixture
def pynative() -> Iterator[None]:
    """Run cells operator by operator: for one pass through a small network that is quicker than compiling it."""
    ms = pytest.importorskip("mindspore")
    from srdiff_training.model.one_by_one import operator_by_operator

    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")  # what it leaves
    with operator_by_operator():
        yield


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos of sides that are no multiples of four."""
    Image.fromarray(skimage.data.astronaut()[:61, :83]).save(tmp_path / "b.png")
    folder = tmp_path / "holiday"
    folder.mkdir()
    (tmp_path / "b.png").rename(folder / "b.png")
    save(folder / "a.png", 18, 23)
    (folder / "notes.txt").write_text("no image")
    return folder
