"""``srdiff-preprocess``: damaged photos, other settings, nothing to read, no room."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .preprocessing import bytes_of, files, run, save


def test_damaged_photos_are_named_and_counted(photos: Path, tmp_path: Path) -> None:
    (photos / "a.png").write_bytes((photos / "a.png").read_bytes()[:200])
    (photos / "c.jpg").write_bytes(b"no image at all")
    save(photos / "d.png", 3, 90)
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(photos / "e.png")
    result = run(photos, tmp_path / "out")
    assert result.exit_code == 0
    assert "1 images" in result.stdout and "4 damaged and skipped" in result.stdout
    skipped = [line for line in result.stderr.splitlines() if line.startswith("Skipped: ")]
    for name, line in zip(("a.png", "c.jpg", "d.png", "e.png"), skipped):
        assert name in line
    assert len(skipped) == 4
    assert files(tmp_path / "out/holiday/train/X1") == ["image_0001.png"]
    # Repaired, it takes the number that was kept for it.
    save(photos / "a.png", 8, 8)
    assert "1 photos done, 1 done before, 3 damaged" in run(photos, tmp_path / "out").stdout
    assert files(tmp_path / "out/holiday/train/X1") == ["image_0000.png", "image_0001.png"]


def test_no_usable_photo_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"")
    result = run(tmp_path / "bad", tmp_path / "out")
    assert result.exit_code == 2 and result.output.count("Error: ") == 1 and "a.png is empty" in result.output


@pytest.mark.parametrize(
    ("options", "words"), [(["--crop-size", "16"], "no crop size"), (["--scale", "2"], "4 scale"), ([], "inputs")]
)
def test_other_settings_are_noticed(options: list[str], words: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "Flickr2K_HR/1.png", 16, 16)
    assert run(root, tmp_path / "out", dataset="flickr2k").exit_code == 0
    before = bytes_of(tmp_path / "out")
    if not options:
        save(root / "Flickr2K_LR_bicubic/X4/1x4.png", 4, 4)
    result = run(root, tmp_path / "out", *options, dataset="flickr2k")
    assert result.exit_code == 2 and words in result.output and "--overwrite" in result.output
    assert bytes_of(tmp_path / "out") == before
    assert run(root, tmp_path / "out", *options, "--overwrite", dataset="flickr2k").exit_code == 0
    assert bytes_of(tmp_path / "out") != before
    assert run(root, tmp_path / "out", *options, dataset="flickr2k").exit_code == 0
    images = [name for name in files(tmp_path / "out") if "X1" in name]
    assert len(images) == 1, images


def test_a_photo_that_is_gone_and_strange_folders_are_refused(photos: Path, tmp_path: Path) -> None:
    assert run(photos, tmp_path / "out").exit_code == 0
    (photos / "a.png").unlink()
    result = run(photos, tmp_path / "out")
    assert result.exit_code == 2 and "a.png" in result.output and "--overwrite" in result.output
    record = tmp_path / "out/holiday/train/preprocess.json"
    record.write_text("{")
    result = run(photos, tmp_path / "out")
    assert result.exit_code == 2 and "is damaged" in result.output
    record.write_text(json.dumps({"settings": {}, "images": {"a.png": 3}}))
    assert "is damaged" in run(photos, tmp_path / "out").output
    record.unlink()
    result = run(photos, tmp_path / "out")
    assert result.exit_code == 2 and "no preprocess.json" in result.output
    assert run(photos, tmp_path / "out", "--overwrite").exit_code == 0
    assert files(tmp_path / "out/holiday/train/X1") == ["image_0000.png"]


def test_a_full_disk_is_one_sentence(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_image = Image.Image.save

    def full(self: Image.Image, fp: str, *arguments: object) -> None:
        if len(list((tmp_path / "out").rglob("image_*.png"))) == 3:
            Path(fp).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save_image(self, fp, *arguments)

    monkeypatch.setattr(Image.Image, "save", full)
    result = run(photos, tmp_path / "out")
    assert result.exit_code == 2 and result.output.count("Error: ") == 1
    assert "No space left on device" in result.output and "free some space" in result.output
    out = tmp_path / "out/holiday/train"
    assert not list(out.rglob(".*.png"))
    monkeypatch.undo()
    assert "1 photos done, 1 done before" in run(photos, tmp_path / "out").stdout


@pytest.mark.parametrize(
    ("make", "dataset", "words"),
    [
        ("missing", "folder", "is not a folder"),
        ("missing", "div2k", "is not a folder"),
        ("empty", "folder", "some image file was expected"),
        ("empty", "set5", "a folder HR was expected"),
        ("empty", "div2k", "DIV2K_train_HR or a folder DIV2K_valid_HR"),
        ("lonely", "set5", "complete the pairs"),
    ],
)
def test_nothing_to_read_is_one_sentence(make: str, dataset: str, words: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    if make != "missing":
        root.mkdir()
    if make == "lonely":
        for name in ("HR/a.png", "HR/b.png", "LR_x4/a.png"):
            save(root / name, 16, 16)
    result = run(root, tmp_path / "out", dataset=dataset)
    assert result.exit_code == 2, result.output
    assert words in result.output and result.output.count("Error: ") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("crop", [30, 2])
def test_a_part_that_the_scale_does_not_divide_is_refused(crop: int, photos: Path, tmp_path: Path) -> None:
    result = run(photos, tmp_path / "out", "--crop-size", crop)
    assert result.exit_code == 2 and "multiple of the scale" in result.output
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_is_one_sentence(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(photos, tmp_path / "file")
    assert result.exit_code == 2 and result.output.count("Error: ") == 1 and "cannot be written" in result.output
