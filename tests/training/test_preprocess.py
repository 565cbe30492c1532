"""``srdiff-preprocess``: layouts, bits, resuming."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from srdiff.resize import bicubic
from srdiff.unfinished_files import forget, new_name
from srdiff_training.data import preprocess as module
from srdiff_training.measure.pairs import find_pairs

from .preprocessing import bytes_of, files, read, run, save


def test_from_a_shell_with_processes(photos: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "srdiff_training.commands.preprocess",
        "--root",
        str(photos),
        "--dataset",
        "folder",
    ]
    command += ["--output", str(tmp_path / "out"), "--jobs", "2"]
    first = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert first.returncode == 0, first.stderr
    assert "2 images, inputs MATLAB bicubic; 2 photos done, 0 done before" in first.stdout
    out = tmp_path / "out" / "holiday" / "train"
    assert files(out) == [
        "X1/image_0000.png",
        "X1/image_0001.png",
        "X4/image_0000.png",
        "X4/image_0001.png",
        "preprocess.json",
    ]
    hr = skimage.data.astronaut()[:60, :80]
    np.testing.assert_array_equal(read(out / "X1/image_0001.png"), hr)
    np.testing.assert_array_equal(read(out / "X4/image_0001.png"), bicubic(hr, 15, 20))
    assert [pair.name for pair in find_pairs(out, 4).pairs] == ["image_0000", "image_0001"]

    before = bytes_of(out)
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 0 and "up to date, nothing to do" in second.stdout
    assert bytes_of(out) == before


@pytest.mark.parametrize("nested", ["", "DIV2K/"])
def test_div2k_takes_the_official_inputs_where_they_are(nested: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    base = root / nested if nested else root
    hr = [save(base / f"DIV2K_train_HR/000{i}.png", 16, 24, seed=i) for i in (1, 2)]
    lr = [save(base / f"DIV2K_train_LR_bicubic/X4/000{i}x4.png", 4, 6, seed=9 + i) for i in (1, 2)]
    val = save(base / "DIV2K_valid_HR/0801.png", 8, 12)
    result = run(root, tmp_path / "out", dataset="div2k")
    assert result.exit_code == 0, result.output
    out = tmp_path / "out" / "div2k"
    for index in (0, 1):
        np.testing.assert_array_equal(read(out / f"train/X1/image_000{index}.png"), hr[index])
        np.testing.assert_array_equal(read(out / f"train/X4/image_000{index}.png"), lr[index])
    np.testing.assert_array_equal(read(out / "val/X4/image_0000.png"), bicubic(val, 2, 3))
    lines = result.stdout.splitlines()
    assert "train: 2 images, inputs official" in lines[0] and "val: 1 images, inputs MATLAB bicubic" in lines[1]


@pytest.mark.parametrize(
    ("dataset", "hr", "lr", "place"),
    [
        ("flickr2k", "Flickr2K/Flickr2K_HR/000001.png", "Flickr2K/Flickr2K_LR_bicubic/X4/000001x4.png", "train"),
        ("set5", "HR/img_001_SRF_4_HR.png", "LR_x4/img_001_SRF_4_LR.png", "val"),
        ("set14", "Set14/HR/baboon.png", "Set14/LR_bicubic/X4/baboonx4.png", "val"),
        ("bsd100", "HR/101085.png", None, "val"),
        ("urban100", "img_001.png", None, "val"),
    ],
)
def test_other_data_sets(dataset: str, hr: str, lr: str | None, place: str, tmp_path: Path) -> None:
    pixels = save(tmp_path / "root" / hr, 12, 16)
    save(tmp_path / "root/Other/HR/none_of_it.png", 8, 8)
    expected = bicubic(pixels, 3, 4) if lr is None else save(tmp_path / "root" / lr, 3, 4, seed=3)
    assert run(tmp_path / "root", tmp_path / "out", dataset=dataset).exit_code == 0
    out = tmp_path / "out" / dataset / place
    assert files(out) == ["X1/image_0000.png", "X4/image_0000.png", "preprocess.json"]
    np.testing.assert_array_equal(read(out / "X4/image_0000.png"), expected)


def test_parts_are_aligned_and_cover_the_photo(photos: Path, tmp_path: Path) -> None:
    result = run(photos, tmp_path / "out", "--crop-size", 32)
    assert result.exit_code == 0, result.output
    out = tmp_path / "out/holiday/train"
    whole = skimage.data.astronaut()[:60, :80]
    lr = bicubic(whole, 15, 20)
    names = sorted(path.name for path in (out / "X1").glob("image_0001_*.png"))
    assert len(names) == 2 * 3 and names == sorted(path.name for path in (out / "X4").glob("image_0001_*.png"))
    corners = [(top, left) for top in (0, 28) for left in (0, 24, 48)]
    for name, (top, left) in zip(names, corners):
        np.testing.assert_array_equal(read(out / "X1" / name), whole[top : top + 32, left : left + 32])
        y, x = top // 4, left // 4
        np.testing.assert_array_equal(read(out / "X4" / name), lr[y : y + 8, x : x + 8])
    # Smaller than a part: kept as it is.
    assert read(out / "X1/image_0000_0000.png").shape == (16, 20, 3)
    assert "up to date" in run(photos, tmp_path / "out", "--crop-size", 32).stdout


@given(size=st.integers(1, 200), side=st.integers(1, 50), multiple=st.integers(1, 8))
def test_windows_cover_every_pixel(size: int, side: int, multiple: int) -> None:
    size, side = size * multiple, side * multiple
    starts = module._starts(size, side, multiple)
    covered = {pixel for start in starts for pixel in range(start, start + min(side, size))}
    assert covered == set(range(size))
    assert all(start % multiple == 0 for start in starts) and len(set(starts)) == len(starts)


def test_test_images_are_never_cut(tmp_path: Path) -> None:
    save(tmp_path / "root/DIV2K_train_HR/0001.png", 16, 16)
    save(tmp_path / "root/DIV2K_valid_HR/0801.png", 16, 16)
    assert run(tmp_path / "root", tmp_path / "out", "--crop-size", 8, dataset="div2k").exit_code == 0
    assert len(list((tmp_path / "out/div2k/train/X1").iterdir())) == 4
    assert files(tmp_path / "out/div2k/val/X1") == ["image_0000.png"]


def test_only_what_is_missing_new_or_changed_is_made(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out/holiday/train"
    assert run(photos, tmp_path / "out", "--crop-size", 32).exit_code == 0
    first = bytes_of(out)
    (out / "X4/image_0001_0002.png").unlink()
    save(photos / "0_first_by_name.png", 8, 8)
    save(photos / "a.png", 40, 8, seed=5)
    result = run(photos, tmp_path / "out", "--crop-size", 32)
    assert "3 photos done, 0 done before" in result.stdout
    after = bytes_of(out)
    # Numbers stay, and the new photo has the next one although its name comes first.
    assert read(out / "X1/image_0002_0000.png").shape == (8, 8, 3)
    assert read(out / "X1/image_0000_0001.png").shape == (32, 8, 3)
    assert {name: content for name, (content, _) in after.items() if "_0001_" in name} == {
        name: content for name, (content, _) in first.items() if "_0001_" in name
    }
    # Shrunk, the photo leaves nothing behind of its former parts.
    save(photos / "a.png", 8, 8, seed=6)
    assert "1 photos done, 2 done before" in run(photos, tmp_path / "out", "--crop-size", 32).stdout
    assert [name for name in files(out / "X1") if "_0000_" in name] == ["image_0000_0000.png"]


def test_a_photo_that_was_skipped_may_go(photos: Path, tmp_path: Path) -> None:
    """It gave no image; a later photo's number is not its, and one that gave images must not go."""
    bad = photos / "aa.png"
    bad.write_bytes(b"no picture")
    first = run(photos, tmp_path / "out")
    assert first.exit_code == 0 and "1 damaged and skipped" in first.stdout
    bad.unlink()
    save(photos / "c.png", 8, 8)
    second = run(photos, tmp_path / "out")
    assert second.exit_code == 0 and "3 images" in second.stdout, second.output
    assert "image_0003.png" in files(tmp_path / "out/holiday/train/X1")
    (photos / "c.png").unlink()
    assert "put it back" in run(photos, tmp_path / "out").output


def test_sigterm_ends_it_in_order(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("srdiff_training.data.preprocess_record.Record.write_now_and_then", stop)
    result = run(photos, tmp_path / "out")
    assert result.exit_code in (130, 143) and "Interrupted." in result.output  # 130 where MindSpore is loaded
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not [name for name in files(tmp_path / "out") if name.startswith(".")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_goes_on(jobs: int, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        save(photos / f"z{number}.png", 8, 8, seed=number)
    seen = []

    def stop(*_: object) -> None:
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("srdiff_training.data.preprocess_record.Record.write_now_and_then", stop)
        assert run(photos, tmp_path / "out", jobs=jobs).exit_code == 130
    out = tmp_path / "out/holiday/train"
    left = new_name(".png")
    forget(left)
    (out / "X1" / left).write_bytes(b"half")
    result = run(photos, tmp_path / "out")
    assert "6 images" in result.stdout and "3 photos done, 3 done before" in result.stdout
    assert len(files(out)) == 13
