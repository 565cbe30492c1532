"""Files that claim more than they hold: refused, or read, in what their bytes explain."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from PIL import Image

from srdiff.errors import ImageError
from srdiff.jobs.sources import find_sources
from srdiff.photo.convert import to_array
from srdiff.photo.ifd import Directories
from srdiff.photo.patience import check_scans
from srdiff.photo.photo import Photo
from srdiff.photo.read import count_frames, read_photo
from srdiff.photo.tiff_file import full_pages

from .pictures import chunk, encoded, noise, one_sentence, png_bytes, png_head, read, refused


def directory(entries: list[Any], following: int = 0) -> bytes:
    return (
        struct.pack("<H", len(entries))
        + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        + struct.pack("<I", following)
    )


def ones(**values: int) -> list[Any]:
    return [(int(tag[1:]), 4, 1, value) for tag, value in values.items()]


class Counted(io.BytesIO):
    """Counts the bytes that are read of it."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def peak(work: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("planar", [1, 2])
def test_tiles_are_counted_before_they_are_placed(planar: int) -> None:
    """A hundred bytes that claim 64 million tiles of one pixel."""
    entries = ones(_256=8000, _257=8000, _258=16, _259=1, _262=1, _277=planar, _284=planar, _322=1, _323=1)
    data = b"II*\0\x08\0\0\0" + directory([*entries, (324, 4, 1, 8), (325, 4, 1, 2)])
    assert len(data) < 160
    assert peak(lambda: refused(data)) < 1_000_000
    assert f"1 strips of {64_000_000 * planar}" in refused(data)


def overlapping(pages: int, entries: int) -> bytes:
    """Directories a slot apart, each as long as all, whose slots are counts of the next ones as well."""
    slot = struct.pack("<HHIHH", 300, 3, 1, 0, entries)
    body = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", entries)
    body += slot * (pages + entries)
    ends = b"".join(struct.pack("<I", 8 + 12 * (page + 1)) + bytes(8) for page in range(pages))
    return body[: 10 + 12 * entries] + ends


@pytest.mark.parametrize(("pages", "entries"), [(1000, 1000), (2000, 2000), (3000, 60_000)])
def test_directories_that_overlap_are_refused(pages: int, entries: int) -> None:
    data = overlapping(pages, entries)
    stream = Counted(data)
    with pytest.raises(ImageError, match="too many entries") as caught:
        full_pages(Directories(stream, "it"))
    one_sentence(caught.value)
    assert stream.taken < 3 * len(data)
    assert "entries" in refused(data)


@pytest.mark.parametrize("pages", [4, 64, 1000])
def test_pages_that_share_large_values_are_counted_before_they_are_read(pages: int) -> None:
    entries = 20
    head = 8 + pages * (2 + 12 * entries + 4)
    body = b"II*\0\x08\0\0\0"
    for page in range(pages):
        tags = [(40_000 + number, 1, 500_000, head) for number in range(entries)]
        body += directory(tags, 8 + (page + 1) * (len(directory(tags))) if page + 1 < pages else 0)
    data = body + bytes(500_000)
    assert peak(lambda: refused(data)) < 2 * len(data) + 1_000_000
    assert "claim more bytes" in refused(data)


def strips(picture: int, claims: int, compression: int, rest: bytes) -> bytes:
    """16-bit grey, one row a strip, each of which claims as much of the file's rest, from its beginning."""
    entries = ones(_256=4, _257=picture, _258=16, _259=compression, _262=1, _278=1)
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries += [(273, 4, picture, start), (279, 4, picture, start + 4 * picture)]
    places = np.full(picture, start + 8 * picture, "<u4").tobytes() + np.full(picture, claims, "<u4").tobytes()
    return b"II*\0\x08\0\0\0" + directory(sorted(entries)) + places + rest


@pytest.mark.parametrize("compression", [1, 8, 32773])
def test_of_a_strip_no_more_is_read_than_it_can_hold(compression: int, monkeypatch: pytest.MonkeyPatch) -> None:
    row = np.arange(4, dtype="<u2")
    stored = {1: row.tobytes(), 8: zlib.compress(row.tobytes()), 32773: b"\x07" + row.tobytes()}[compression]
    rest = stored.ljust(1_000_000, b"\0")
    data = strips(5000, len(rest), compression, rest)
    stream = Counted(data)
    monkeypatch.setattr("srdiff.photo.read._open", lambda *_: stream)
    photo = read_photo("it.tif")
    np.testing.assert_array_equal(to_array(photo), np.tile(row, (5000, 1)))
    assert stream.taken < 8 * len(data)  # of the 5 GB that the strips claim


def test_more_strips_than_pictures_have_are_refused() -> None:
    count = (1 << 20) + 1
    entries = [*ones(_256=1, _257=count, _258=8, _262=1), (273, 4, count, 100), (279, 4, count, 100)]
    data = b"II*\0\x08\0\0\0" + directory(entries)
    assert "strips" in refused(data + bytes(4 * count))


def test_a_tile_is_no_larger_than_its_page_explains() -> None:
    entries = ones(_256=1, _257=40_000_000, _258=16, _259=8, _262=1, _322=4000, _323=40_000_000)
    data = b"II*\0\x08\0\0\0" + directory([*entries, (324, 4, 1, 200), (325, 4, 1, 400)])
    bomb = zlib.compress(bytes(30_000_000))
    assert peak(lambda: refused(data + bomb)) < 5_000_000


def apng(claims: int, frames: int, still: bool = False) -> bytes:
    """An animation that claims some frames and has some."""
    pictures = [Image.new("RGB", (8, 8), (60 * number, 0, 0)) for number in range(max(frames, 2))]
    whole = encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:], default_image=still)
    place = whole.index(b"acTL") - 4
    return whole[:place] + chunk(b"acTL", struct.pack(">II", claims, 0)) + whole[place + 20 :]


@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize("claims", [1, 2, 3, 1_000_000, 1 << 31])
def test_frames_are_those_of_the_file(claims: int, still: bool, tmp_path: Path) -> None:
    (tmp_path / "it.png").write_bytes(apng(claims, 3, still))
    frames = min(claims, 2 if still else 3) + still
    assert count_frames(tmp_path / "it.png") == frames
    assert read_photo(tmp_path / "it.png").frames == frames
    sources = find_sources([str(tmp_path / "it.png")], "_x4", all_frames=True).sources
    assert len(sources) == frames
    for source in sources:
        assert read_photo(tmp_path / "it.png", frame=source.frame or 0).pixels.shape == (8, 8, 3)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_still_picture_that_claims_a_million_frames_is_one(depth: int, tmp_path: Path) -> None:
    samples = noise(3, dtype=np.uint8 if depth == 8 else np.uint16)
    whole = png_bytes(samples)
    (tmp_path / "it.png").write_bytes(whole[:33] + chunk(b"acTL", struct.pack(">II", 1_000_000, 0)) + whole[33:])
    photo = read_photo(tmp_path / "it.png")
    assert photo.frames == count_frames(tmp_path / "it.png") == 1
    np.testing.assert_array_equal(to_array(photo), samples)


def test_a_flood_of_packed_text_is_refused_before_it_is_inflated_again_and_again() -> None:
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(60 << 20)))
    data = png_bytes(noise(3))
    inflated = []

    class Room:
        def __init__(self, whole: Any) -> None:
            self._whole = whole

        def decompress(self, *words: Any) -> bytes:
            found = self._whole.decompress(*words)
            inflated.append(len(found))
            return bytes(found)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._whole, name)

    whole = zlib.decompressobj
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("srdiff.photo.png_metadata.zlib.decompressobj", lambda: Room(whole()))
        assert "64 MB of text" in refused(data[:33] + 20 * bomb + data[33:])
    assert sum(inflated) <= (64 << 20) + 1


def test_more_chunks_than_anybody_writes_are_refused() -> None:
    data = png_bytes(noise(3))
    assert "chunks; save it anew" in refused(data[:33] + 250_000 * chunk(b"noTe", b"") + data[33:])


@pytest.mark.parametrize(
    ("format", "at", "part"),
    [
        ("JPEG", 2, b"\xff\xfe\0\2"),
        ("JPEG", 2, b"\xff"),
        ("GIF", -1, b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"),
        ("GIF", -1, b"\x21\xfe\0"),
        ("PPM", 3, b" "),
    ],
)
def test_more_parts_than_anybody_makes_are_refused(format: str, at: int, part: bytes) -> None:
    data = encoded(Image.new("L", (8, 8)), format)
    assert "more parts than are read" in refused(data[:at] + 2_000_000 * part + data[at:])


def test_more_segments_behind_a_scan_than_anybody_makes_are_refused() -> None:
    data = encoded(Image.new("L", (64, 64), 90), "JPEG")
    assert "more parts than are read" in refused(data[:-2] + 200_000 * b"\xff\xfe\0\2" + data[-2:])


def scanned(scans: int) -> bytes:
    """A progressive JPEG with further scans of one coefficient in all blocks, each of them in a few bytes."""
    data = encoded(Image.new("L", (64, 64), 90), "JPEG", progressive=True)[:-2]
    table = b"\xff\xc4\0\x14\x10\1" + bytes(15) + b"\xe0"
    return data + table + scans * (b"\xff\xda\0\x08\1\1\0\1\x3f\x10" + bytes(8)) + b"\xff\xd9"


def test_more_scans_than_anybody_makes_are_refused() -> None:
    assert "scans; save it anew" in refused(scanned(101))
    thumbnail, behind = scanned(90), b"\xff\xda" * 200
    exif = b"Exif\0\0II*\0\x08\0\0\0" + directory([(40_000, 7, len(thumbnail), 26)]) + thumbnail
    data = scanned(80)
    assert read(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:] + behind).frames == 1


@pytest.mark.parametrize("part", [b"\xff", b"\xff\xd0", b"\xff\xfe\0\2", b"\xff\0", b"\xff\xff\xd0"])
def test_what_lies_between_scans_takes_no_longer_than_it_is(part: bytes) -> None:
    """Twenty times of it about twenty times as long: what grows with the square takes four hundred times."""
    data = encoded(Image.new("L", (64, 64), 90), "JPEG")[:-2]
    seconds = []
    for count in (2_000, 40_000):
        stream = io.BytesIO(data + count * part)
        began = time.process_time()
        with suppress(ImageError):
            check_scans(stream, "it")
        seconds.append(time.process_time() - began)
    assert seconds[1] < 100 * max(seconds[0], 1e-3)


def test_exif_that_claims_more_than_it_has_costs_no_picture() -> None:
    tags = [(40_000 + number, 7, 400_000, 100) for number in range(400)]
    data = png_bytes(noise(3))
    hostile = chunk(b"eXIf", b"II*\0\x08\0\0\0" + directory(tags) + bytes(400_000))
    found: list[Photo] = []
    assert peak(lambda: found.append(read(data[:33] + hostile + data[33:]))) < 8_000_000
    assert found[0].exif is None and found[0].lost == ("EXIF (damaged)",)


def test_directories_that_point_to_themselves_end() -> None:
    tags = [(0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (271, 2, 4, 0x00636261)]
    exif = b"Exif\0\0II*\0\x08\0\0\0" + directory(tags, 8)
    photo = read(encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif))
    assert photo.pixels.shape == (8, 8, 3)


# What is well is read as ever


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("rows", [1, 2, 5, 13])
def test_strips_of_any_height_come_back(compression: str, rows: int) -> None:
    samples = noise(dtype=np.uint16)
    data = encoded(Image.fromarray(samples), "TIFF", compression=compression, tiffinfo={278: rows})
    np.testing.assert_array_equal(to_array(read(data)), samples)


def test_many_small_strips_are_inflated_together(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(3).integers(0, 65536, (3000, 5), np.uint16)
    data = encoded(Image.fromarray(samples), "TIFF", compression="packbits", tiffinfo={278: 1})
    calls = []
    whole = Image.Image.tobytes
    monkeypatch.setattr(Image.Image, "tobytes", lambda self, *words: calls.append(1) or whole(self, *words))
    np.testing.assert_array_equal(to_array(read(data)), samples)
    assert len(calls) <= 3


def test_the_header_of_a_hostile_png_is_enough() -> None:
    assert "max_pixels" in refused(png_head(60_000, 60_000) + chunk(b"IEND", b""))
