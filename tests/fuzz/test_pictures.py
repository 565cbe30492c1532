"""A short run of the mutated pictures, and proof that the run can fail."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from srdiff.errors import ImageError
from srdiff.photo.read import read_photo

from . import pictures


def test_the_first_mutated_pictures_end_in_success_or_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    assert pictures.FUZZ.run(0, 300) == []
    said = capfd.readouterr()
    assert said.out.startswith("300 files ended") and said.err == ""  # nor do libraries speak for themselves


def test_originals_are_read_and_mutations_are_the_same_again() -> None:
    files = pictures.originals()
    formats = {Image.open(io.BytesIO(data)).format for data in files if read_photo(io.BytesIO(data)).pixels.size}
    assert len(files) > 60 and {"PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "PPM"} <= formats
    assert all(pictures.mutated(files, number) == pictures.mutated(files, number) for number in range(9))


def test_findings_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = pictures.originals()
    assert pictures.passed_through(b"no picture", tmp_path) != ""

    def two_lines(*_: object, **__: object) -> None:
        raise ImageError("one\ntwo")

    monkeypatch.setattr(pictures, "read_photo", two_lines)
    with pytest.raises(AssertionError, match="two"):
        pictures.passed_through(files[0], tmp_path)

    def leaves_a_file(*_: object, **__: object) -> None:
        (tmp_path / "left").write_text("")
        raise ImageError("one")

    monkeypatch.setattr(pictures, "read_photo", leaves_a_file)
    with pytest.raises(AssertionError, match="left"):
        pictures.passed_through(files[0], tmp_path)
