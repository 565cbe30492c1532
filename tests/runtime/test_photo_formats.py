"""One list of readable files, and the true name of what is not read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srdiff.errors import ImageError
from srdiff.photo.formats import readable_formats, readable_suffixes, refuse_unread, unread_kind

from .pictures import encoded, one_sentence, read, refused, smooth


@pytest.mark.parametrize("name", ["a.JFIF", "b.jpe", "c.tga", "d.pgm", "e.tiff", "f.PNG"])
def test_common_suffixes_are_read(name: str) -> None:
    assert Path(name).suffix.lower() in readable_suffixes()
    assert unread_kind(Path(name)) is None


def test_what_pillow_reads_of_them_is_loaded() -> None:
    code = (
        "from srdiff.photo.formats import Image, readable_formats; found = readable_formats(); "
        "Image.init(); assert readable_formats() == found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.DNG", "camera raw"),
        ("b.cr2", "camera raw"),
        ("c.jp2", "JPEG 2000"),
        ("d.psd", "Photoshop"),
        ("e.mp4", "video"),
        ("f.txt", "other"),
        ("g", "other"),
    ],
)
def test_what_is_not_read_has_a_name(name: str, kind: str) -> None:
    assert unread_kind(Path(name)) == kind


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"\0\0\0\x20ftypcrx \0\0\0\1crx isom", "camera raw"),
        (b"II*\0\x10\0\0\0CR\2\0", "camera raw"),
        (b"\xff\x4f\xff\x51" + bytes(30), "JPEG 2000"),
        (b"8BPS\0\1" + bytes(30), "Photoshop"),
    ],
)
def test_bytes_of_other_formats_are_named(head: bytes, says: str) -> None:
    assert says in refused(head)


def test_heic_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without = [name for name in readable_formats() if name != "HEIF"]
    monkeypatch.setattr("srdiff.photo.formats.readable_formats", lambda: without)
    assert unread_kind(Path("a.heic")) == "HEIC"
    with pytest.raises(ImageError, match=r"srdiff\[heif\]") as caught:
        refuse_unread("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    one_sentence(caught.value)


def test_heic_is_read_where_its_library_is() -> None:
    pytest.importorskip("pillow_heif")
    assert ".heic" in readable_suffixes()
    photo = read(encoded(Image.fromarray(smooth()), "HEIF", quality=95))
    assert np.abs(photo.pixels.astype(int) - smooth()).mean() < 2  # levels; half-size chroma and lossy, 1.1 measured
