"""Folder layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srdiff.errors import ImageError, OptionError
from srdiff.resize import bicubic
from srdiff_training.measure.pairs import find_pairs


def save(path: Path, height: int, width: int) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("HR/baby.png", "LR_x4/baby.png"),
        ("HR/img_001_SRF_4_HR.png", "LR_x4/img_001_SRF_4_LR.png"),
        ("val/X1/0801.png", "val/X4/0801x4.png"),
        ("X1/0801.png", "X4/0801.png"),
    ],
)
def test_layouts_with_inputs(hr: str, lr: str, tmp_path: Path) -> None:
    true, small = save(tmp_path / hr, 18, 23), save(tmp_path / lr, 4, 5)
    data = find_pairs(tmp_path, 4)
    assert (data.name, len(data.pairs)) == (tmp_path.name, 1)
    found = data.pairs[0].load(4)
    np.testing.assert_array_equal(found[0], true[:16, :20])
    np.testing.assert_array_equal(found[1], small)


@pytest.mark.parametrize("folder", ["HR", "val/X1", "."])
def test_inputs_are_made_where_there_are_none(folder: str, tmp_path: Path) -> None:
    true = save(tmp_path / folder / "a.png", 18, 23)
    save(tmp_path / folder / "b.png", 16, 20)
    assert [pair.name for pair in find_pairs(tmp_path, 4).pairs] == ["a", "b"]
    (pair,) = find_pairs(tmp_path, 4, limit=1).pairs
    _, lr = pair.load(4)
    np.testing.assert_array_equal(lr, bicubic(true[:16, :20], 4, 5))


def test_every_format_that_is_read_is_taken(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 8, 8)
    save(tmp_path / "b.gif", 8, 8)
    save(tmp_path / "c.JPE", 8, 8)
    (tmp_path / "d.txt").write_text("no picture")
    assert [pair.name for pair in find_pairs(tmp_path, 4).pairs] == ["a", "b", "c"]


def test_a_missing_partner_is_named(tmp_path: Path) -> None:
    for name in ("HR/a.png", "HR/lonely.png", "LR_x4/a.png"):
        save(tmp_path / name, 16, 16)
    with pytest.raises(OptionError, match="lonely"):
        find_pairs(tmp_path, 4)


@pytest.mark.parametrize("size", [(4, 6), (5, 5), (16, 20)])
def test_an_input_of_another_size_is_refused(size: tuple[int, int], tmp_path: Path) -> None:
    save(tmp_path / "HR/a.png", 18, 23)
    save(tmp_path / "LR_x4/a.png", *size)
    with pytest.raises(ImageError, match="5x4"):
        find_pairs(tmp_path, 4).pairs[0].load(4)


def test_no_images_and_sixteen_bits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no images"):
        find_pairs(tmp_path, 4)
    with pytest.raises(ImageError, match="no images"):
        find_pairs(tmp_path / "missing", 4)
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ImageError, match="16 bits"):
        find_pairs(tmp_path, 4).pairs[0].load(4)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "HR/a.png", 16, 16)
    save(tmp_path / "HR/a_HR.png", 16, 16)
    with pytest.raises(OptionError, match="rename"):
        find_pairs(tmp_path, 4)
