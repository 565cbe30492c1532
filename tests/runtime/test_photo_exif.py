"""EXIF comes out as it went in: each tag's type, count and bytes, whatever they mean."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from srdiff.photo.convert import photo_from
from srdiff.photo.exif import PREFIX, Tags, carried, parsed, turned
from srdiff.photo.ifd import Field
from srdiff.photo.photo import Photo
from srdiff.photo.read import read_photo
from srdiff.photo.unkept import unkept
from srdiff.photo.write import FORMATS, write_photo

from .pictures import chunk, encoded, noise, png_bytes, read, smooth

EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL = 2, 3, 4, 5, 7, 10


def raw(order: str) -> tuple[Any, Any, Any, Any]:
    """What is kept of a photograph, by directory: type, count and bytes of each tag."""
    main = {
        0x010E: (SRATIONAL, 1, struct.pack(order + "ii", -7, 3)),  # a description of an odd type
        0x010F: (ASCII, 5, b"abcd\0"),
        0x013B: (ASCII, 6, "Jörg".encode() + b"\0"),
        0x8298: (ASCII, 7, b"\xa9 J\xf6rg\0"),
        0x9C9B: (1, 4, "日本".encode("utf-16-le")),
    }
    exif = {
        0x829A: (RATIONAL, 1, struct.pack(order + "II", 10, 40)),
        0x9000: (UNDEFINED, 4, b"0232"),
        0x9101: (UNDEFINED, 4, b"\1\2\3\0"),
        0x9201: (SRATIONAL, 1, struct.pack(order + "ii", -1_073_741_823, 1_073_741_824)),
        0x927C: (UNDEFINED, 11, b"maker\0note\xff"),
        0x9286: (UNDEFINED, 13, b"ASCII\0\0\0h\xf6llo"),
        0xA300: (UNDEFINED, 1, b"\3"),
        0xA301: (UNDEFINED, 1, b"\1"),
        0xA434: (ASCII, 8, b"50mm \xb5m\0"),
        0xFDE8: (12, 1, struct.pack(order + "d", 0.1)),  # nobody's tag
    }
    gps = {
        0x0001: (ASCII, 2, b"N\0"),
        0x0002: (RATIONAL, 3, struct.pack(order + "6I", 52, 1, 30, 1, 123456, 10000)),
        0x0005: (ASCII, 2, b"0\0"),  # a byte, by the book
    }
    interop = {1: (ASCII, 4, b"R98\0"), 2: (UNDEFINED, 4, b"0100")}
    return main, exif, gps, interop


def table(tags: Any, order: str, start: int, pointers: Any = None) -> bytes:
    everything = {
        **tags,
        **{tag: (LONG, 1, struct.pack(order + "I", place)) for tag, place in (pointers or {}).items()},
    }
    head, body = struct.pack(order + "H", len(everything)), b""
    place = start + 2 + 12 * len(everything) + 4
    for tag, (kind, count, data) in sorted(everything.items()):
        head += struct.pack(order + "HHI", tag, kind, count)
        head += data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(order + "I", place + len(body))
        body += data if len(data) > 4 else b""
    return head + bytes(4) + body


def blob(order: str) -> bytes:
    main, exif, gps, interop = raw(order)
    data = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    size = len(table(main, order, 8, {EXIF_IFD: 0, GPS_IFD: 0}))
    places = {EXIF_IFD: 8 + size}
    middle = len(table(exif, order, 0, {INTEROP_IFD: 0}))
    places[GPS_IFD] = places[EXIF_IFD] + middle
    last = places[GPS_IFD] + len(table(gps, order, 0))
    data += table(main, order, 8, places) + table(exif, order, places[EXIF_IFD], {INTEROP_IFD: last})
    return PREFIX + data + table(gps, order, places[GPS_IFD]) + table(interop, order, last)


def plain(tags: Tags) -> Any:
    """Without the resolution, which TIFF and WebP get from the photo."""
    return {tag: tuple(value) for tag, value in tags.fields.items() if tag not in (282, 283, 296)}


def of(photo: Photo, order: str) -> tuple[Any, Any, Any, Any]:
    """What a photo's EXIF has, in this byte order."""
    assert photo.exif is not None
    main = turned(*parsed(photo.exif), order)
    exif = main.nested[EXIF_IFD]
    return plain(main), plain(exif), plain(main.nested[GPS_IFD]), plain(exif.nested[INTEROP_IFD])


def file(kind: str, exif: bytes, order: str = "<") -> bytes:
    if kind == "deep TIFF":
        samples = noise(dtype=np.uint16)
        return tiff(exif, order, samples)
    if kind == "TIFF":
        return tiff(exif, order, noise())
    if kind == "PNG":
        data = png_bytes(noise(3))
        return data[:33] + chunk(b"eXIf", exif[6:]) + data[33:]
    return encoded(Image.fromarray(smooth()), kind, exif=exif)


def tiff(exif: bytes, order: str, samples: np.ndarray) -> bytes:
    """The picture as strips after the EXIF, whose first directory gets the page's tags."""
    main, below, gps, interop = raw(order)
    height, width = samples.shape
    page = {256: width, 257: height, 258: samples.itemsize * 8, 259: 1, 262: 1, 277: 1, 278: height}
    page[279] = samples.nbytes
    tags = {**main, **{tag: (LONG, 1, struct.pack(order + "I", value)) for tag, value in page.items()}}
    places = {EXIF_IFD: 8 + len(table(tags, order, 8, {EXIF_IFD: 0, GPS_IFD: 0, 273: 0}))}
    places[GPS_IFD] = places[EXIF_IFD] + len(table(below, order, 0, {INTEROP_IFD: 0}))
    last = places[GPS_IFD] + len(table(gps, order, 0))
    places[273] = last + len(table(interop, order, 0))
    data = exif[6:14] + table(tags, order, 8, places) + table(below, order, places[EXIF_IFD], {INTEROP_IFD: last})
    data += table(gps, order, places[GPS_IFD]) + table(interop, order, last)
    return data + samples.astype(samples.dtype.newbyteorder(order)).tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "deep TIFF"])
@pytest.mark.parametrize("format", FORMATS)
def test_every_tag_keeps_type_count_and_bytes(kind: str, format: str, order: str) -> None:
    photo = read(file(kind, blob(order), order))
    assert photo.lost == () and of(photo, order) == raw(order)
    stream = io.BytesIO()
    write_photo(photo, stream, format)
    back = read(stream.getvalue())
    assert back.lost == () and of(back, order) == raw(order)
    assert not [line for line in unkept(photo, format) if "EXIF" in line]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "kind", [(3, "H", 513), (4, "I", 67_305_985), (8, "h", -2), (9, "i", -3), (11, "f", 0.1), (12, "d", 0.1)]
)
def test_another_byte_order_changes_no_value(kind: tuple[int, str, float], order: str) -> None:
    other = {"<": ">", ">": "<"}[order]
    assert of(read(file("PNG", blob(order))), other) == raw(other)
    number, letter, value = kind
    numbers = Field(number, 2, struct.pack(order + 2 * letter, value, 1))
    found = turned(Tags({0xFDE8: numbers}), order, other).fields[0xFDE8]
    assert struct.unpack(other + 2 * letter, found.data) == struct.unpack(order + 2 * letter, numbers.data)


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_from_pillow_keeps_them_too(format: str) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        with Image.open(io.BytesIO(file(kind, blob("<")))) as image:
            photo = photo_from(image)
        assert of(photo, "<") == raw("<"), kind


@pytest.mark.parametrize("tag", [270, 271, 272, 305, 306, 315, 316, 33432, 18246, 18249, *range(40091, 40096)])
def test_what_says_something_of_the_photograph_is_kept(tag: int) -> None:
    """Rating and its percent, title, comment, author, keywords and subject, too."""
    entry = struct.pack("<HHI4s", tag, 1, 4, b"abcd")
    photo = read(file("PNG", PREFIX + b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)))
    assert of_values(photo)[0] == {tag: (1, 4, b"abcd")}


def test_exif_that_begins_twice_is_read_and_values_lie_at_even_places() -> None:
    found = carried(PREFIX + blob("<"))
    assert found.lost == () and found.exif == carried(blob("<")).exif
    assert found.exif is not None
    entries = [struct.unpack_from("<HHII", found.exif, 16 + 12 * number) for number in range(found.exif[14])]
    assert [tag for tag, _, count, place in entries if count > 4 and place % 2] == []


def test_what_a_program_changed_is_taken_from_pillow() -> None:
    with Image.open(io.BytesIO(file("JPEG", blob("<")))) as image:
        image.getexif()[0x010F] = "Jörg 日本"
        image.getexif()[0x0131] = "größer"
        main, *_ = of_values(photo_from(image))
    assert main[0x010F][2] == "Jörg 日本".encode() + b"\0" and main[0x0131][2] == "größer\0".encode("latin-1")
    assert main[0x8298][2] == b"\xa9 J\xf6rg\0"
    fresh = Image.new("RGB", (4, 4))
    fresh.getexif()[0x010F] = "me"
    fresh.getexif()[0x010E] = object()
    photo = photo_from(fresh)
    assert of_values(photo)[0] == {0x010F: (ASCII, 3, b"me\0")}
    assert photo.lost == ("of EXIF 0x010E (damaged)",)


def of_values(photo: Photo) -> tuple[Any, Any]:
    assert photo.exif is not None
    main, _ = parsed(photo.exif)
    return plain(main), main.nested


@pytest.mark.parametrize(
    "entry",
    [
        struct.pack("<HHII", 0x0131, 99, 1, 0),  # no such type
        struct.pack("<HHII", 0x0131, ASCII, 500, 4000),  # beyond the bytes
        struct.pack("<HHII", 0x0131, ASCII, 0xFFFFFFFF, 8),
    ],
)
def test_an_odd_tag_goes_alone_and_is_named(entry: bytes) -> None:
    make = struct.pack("<HHI4s", 0x010F, ASCII, 4, b"abc\0")
    exif = PREFIX + b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + make + entry + bytes(4)
    photo = read(file("PNG", exif))
    assert of_values(photo)[0] == {0x010F: (ASCII, 4, b"abc\0")}
    assert photo.lost == ("of EXIF 0x0131 (damaged)",) and unkept(photo, "png") == list(photo.lost)


def test_odd_tags_are_named_one_by_one_up_to_five() -> None:
    entries = b"".join(struct.pack("<HHII", tag, 99, 1, 0) for tag in range(0x9000, 0x9008))
    sub = struct.pack("<H", 8) + entries + bytes(4)
    main = struct.pack("<HHHII", 1, EXIF_IFD, LONG, 1, 26) + bytes(4)
    found = carried(PREFIX + b"II*\0\x08\0\0\0" + main + sub)
    assert found.exif is None
    assert found.lost == ("of EXIF 0x9000, 0x9001, 0x9002, 0x9003, 0x9004 and 3 more (damaged)",)


@pytest.mark.parametrize("cut", [10, 40, 100, 200])
def test_what_is_cut_off_is_said_and_the_rest_kept(cut: int) -> None:
    found = carried(blob("<")[:cut])
    assert len(found.lost) == 1 and "damaged" in found.lost[0]


def test_a_large_tiff_keeps_its_pixels_beside_its_exif(tmp_path: Any) -> None:
    photo = read(file("JPEG", blob(">")))
    samples = np.random.default_rng(0).integers(0, 256, (701, 1203, 3), np.uint8)
    large = photo.enlarged(samples, None)
    write_photo(large, tmp_path / "it.tif", "tiff")
    back = read_photo(tmp_path / "it.tif")
    np.testing.assert_array_equal(back.pixels, samples)
    assert of(back, ">") == raw(">") and back.dpi == photo.dpi
    with Image.open(tmp_path / "it.tif") as image:
        assert image.getexif().get_ifd(EXIF_IFD)[0x9286] == b"ASCII\0\0\0h\xf6llo"
        assert image.getexif().get_ifd(GPS_IFD)[1] == "N" and image.n_frames == 1


def test_webp_says_the_resolution_beside_all_else() -> None:
    photo = Photo(**{**vars(read(file("PNG", blob("<")))), "dpi": (300.0, 150.5)})
    stream = io.BytesIO()
    write_photo(photo, stream, "webp")
    back = read(stream.getvalue())
    main, *rest = of(back, "<")
    assert back.dpi == (300, 150.5) and rest == list(raw("<")[1:])
    assert main == raw("<")[0]


# Beside EXIF, in JPEG


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    data = encoded(Image.fromarray(smooth()), "JPEG")
    extra = b"".join(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for marker, content in segments)
    return data[:2] + extra + data[2:]


def test_all_comments_of_a_jpeg_are_kept() -> None:
    photo = read(jpeg((0xFE, b"one"), (0xFE, b" \0"), (0xFE, "zwei ö".encode())))
    assert photo.text == (("Comment", "one"), ("Comment", "zwei ö"))
    for format in ("jpg", "png"):
        stream = io.BytesIO()
        write_photo(photo, stream, format)
        assert read(stream.getvalue()).text == photo.text and unkept(photo, format) == []


@pytest.mark.parametrize("form", ["attribute", "element"])
def test_what_follows_an_xmp_packet_is_said_and_the_packet_does_not_claim_it(form: str) -> None:
    mark = b" xmpNote:HasExtendedXMP='0123456789ABCDEF0123456789ABCDEF'"
    inside = b""
    if form == "element":
        mark, inside = b"", b"<xmpNote:HasExtendedXMP>0123456789ABCDEF</xmpNote:HasExtendedXMP>"
    packet = b"<rdf:Description tiff:Make='me'" + mark + b">" + inside + b"</rdf:Description>"
    pieces = [(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + b"x" * 50_000)] * 2
    photo = read(jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet), *pieces))
    assert photo.xmp == b"<rdf:Description tiff:Make='me'></rdf:Description>"
    assert unkept(photo, "jpg") == ["the extension of XMP (100150 bytes)"]
    assert read(jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))).lost == ()
