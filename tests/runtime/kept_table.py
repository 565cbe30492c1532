"""The table of docs/enlarge.md, what a result keeps: ``python -m tests.runtime.kept_table`` reads and writes files.

Each file is made without the project's own writers, holds one thing beside its picture, and is read, written in each
format and read again.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
from PIL import Image

from srdiff.errors import OutputError
from srdiff.photo.formats import readable_formats
from srdiff.photo.photo import Photo
from srdiff.photo.read import read_photo
from srdiff.photo.unkept import unkept
from srdiff.photo.write import FORMATS, write_photo

from .pictures import SRGB, chunk, encoded, png_bytes, smooth

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
IPTC = b"\x1c\x02\x05\x00\x05Title"
LARGE = 70_000  # bytes, more than a segment of JPEG holds
PICTURE = smooth(13, 17)
OUTPUTS = tuple(FORMATS)


@dataclass(frozen=True)
class Thing:
    """Something that belongs to a picture.

    Attributes:
        files: it in a file of each format that can hold it; None where nothing here writes that one.
        kept: whether a photo still has it.
        large: the same, larger than a segment of JPEG holds, in a PNG.
    """

    files: dict[str, bytes | None]
    kept: Callable[[Photo], bool]
    large: bytes | None = None


def pillow(format: str, samples: np.ndarray = PICTURE, **options: Any) -> bytes:
    return encoded(Image.fromarray(samples), format, **options)


def modern(**options: Any) -> dict[str, bytes | None]:
    """HEIC and AVIF: of both with the extra heif, and of AVIF with newer versions of Pillow."""
    readable_formats()  # which knows their encoders, too
    samples = options.pop("samples", PICTURE)
    kinds = {"heic": "HEIF", "avif": "AVIF"}
    return {name: pillow(kind, samples, **options) if kind in Image.SAVE else None for name, kind in kinds.items()}


def png_with(*chunks: tuple[bytes, bytes], samples: np.ndarray = PICTURE) -> bytes:
    data = png_bytes(samples)
    return data[:33] + b"".join(chunk(*item) for item in chunks) + data[33:]


def jpeg_with(marker: int, data: bytes) -> bytes:
    whole = pillow("JPEG", quality=95)
    return whole[:2] + struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data + whole[2:]


def raw_profile(kind: str, data: bytes) -> tuple[bytes, bytes]:
    words = f"\n{kind}\n{len(data):8}\n{data.hex()}\n"
    return b"zTXt", b"Raw profile type " + kind.encode() + b"\0\0" + zlib.compress(words.encode())


def resource(data: bytes) -> bytes:
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)


def deep_tiff(samples: np.ndarray, iptc: bytes = b"") -> bytes:
    """16-bit RGB in one strip; IPTC declared as LONG, of whole ones."""
    height, width, _ = samples.shape
    strip = 8 + 2 + 9 * 12 + 4
    ones = {256: width, 257: height, 258: 16, 262: 2, 273: strip, 277: 3, 278: height, 279: samples.nbytes}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in ones.items()]
    entries.append(struct.pack("<HHII", 33723, 4, len(iptc) // 4, strip + samples.nbytes))
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return head + samples.astype("<u2").tobytes() + iptc


def exif(size: int = 4) -> bytes:
    tags = Image.Exif()
    tags[0x010F] = "x" * size
    return tags.tobytes()


def things() -> dict[str, Thing]:
    """By the name that the table has for them, in the order of its rows: a table, hence its length."""
    gamma = (b"gAMA", struct.pack(">I", 100_000))
    deep = (PICTURE * np.uint16(257)).astype(np.uint16)
    key = np.dstack([PICTURE, PICTURE[..., :1]])
    itxt = b"XML:com.adobe.xmp\0\0\0\0\0"
    return {
        "EXIF": Thing(
            {
                "png": png_with((b"eXIf", exif()[6:])),
                **{name: pillow(name, exif=exif()) for name in ("jpeg", "webp", "tiff")},
                **modern(exif=exif()),
            },
            lambda photo: photo.exif is not None,
            png_with((b"eXIf", exif(LARGE)[6:])),
        ),
        "ICC profile": Thing(
            {
                "png": png_with((b"iCCP", b"it\0\0" + zlib.compress(SRGB))),
                **{name: pillow(name, icc_profile=SRGB) for name in ("jpeg", "webp", "tiff")},
                **modern(icc_profile=SRGB),
            },
            lambda photo: photo.icc_profile == SRGB,
        ),
        "XMP": Thing(
            {
                "png": png_with((b"iTXt", itxt + XMP)),
                "jpeg": jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
                "webp": pillow("webp", xmp=XMP),
                "tiff": pillow("tiff", tiffinfo={700: XMP}),
                **modern(xmp=XMP),
            },
            lambda photo: photo.xmp is not None and photo.xmp.startswith(XMP),
            png_with((b"iTXt", itxt + XMP + b" " * LARGE)),
        ),
        "IPTC": Thing(
            {
                "png": png_with(raw_profile("iptc", resource(IPTC))),
                "jpeg": jpeg_with(0xED, b"Photoshop 3.0\0" + resource(IPTC)),
                "tiff": pillow("tiff", tiffinfo={33723: IPTC}),
            },
            lambda photo: photo.iptc is not None and photo.iptc.startswith(IPTC),
            png_with(raw_profile("iptc", resource(IPTC + bytes(LARGE)))),
        ),
        "comment": Thing(
            {
                "png": png_with((b"tEXt", b"Comment\0hello")),
                "jpeg": jpeg_with(0xFE, b"hello"),
                "gif": pillow("gif", PICTURE[..., 0], comment=b"hello"),
            },
            lambda photo: photo.text == (("Comment", "hello"),),
            png_with((b"tEXt", b"Comment\0" + b"x" * LARGE)),
        ),
        "other text": Thing(
            {"png": png_with((b"tEXt", b"Author\0me"))},
            lambda photo: ("Author", "me") in photo.text,
        ),
        "resolution": Thing(
            {
                "png": png_with((b"pHYs", struct.pack(">IIB", 11811, 11811, 1))),
                **{name: pillow(name, dpi=(300, 300)) for name in ("jpeg", "tiff", "bmp")},
            },
            lambda photo: photo.dpi is not None and abs(photo.dpi[0] - 300) < 0.1,
        ),
        "gAMA, cHRM": Thing(
            {"png": png_with(gamma)},
            lambda photo: photo.gamma == 1 or bool(photo.icc_profile),
        ),
        "cICP of SDR": Thing(
            {"png": png_with((b"cICP", b"\x0c\x0d\0\1"))},
            lambda photo: photo.cicp is not None or bool(photo.icc_profile),
        ),
        "cICP of HDR": Thing(
            {"png": png_with((b"cICP", b"\x09\x10\0\1"))},
            lambda photo: photo.cicp is not None or bool(photo.icc_profile),
        ),
        "16-bit grey": Thing(
            {"png": png_with(samples=deep[..., 0]), "tiff": pillow("tiff", deep[..., 0])},
            lambda photo: photo.pixels.dtype == np.uint16,
        ),
        "16-bit colour": Thing(
            {"png": png_with(samples=deep), "tiff": deep_tiff(deep)},
            lambda photo: photo.pixels.dtype == np.uint16,
        ),
        "transparency": Thing(
            {
                **{name: pillow(name, key) for name in ("png", "webp", "tiff")},
                "gif": pillow("gif", PICTURE[..., 0], transparency=int(PICTURE[0, 0, 0])),
                "tga": pillow("tga", key),
                **modern(samples=key),
            },
            lambda photo: photo.alpha is not None,
        ),
    }


class Named(io.BytesIO):
    """With a name, by which TGA is known."""

    def __init__(self, data: bytes, format: str) -> None:
        super().__init__(data)
        self.name = f"it.{format}"


def outcome(source: str, data: bytes, format: str, kept: Callable[[Photo], bool]) -> str:
    """``yes``, ``as a profile``, ``no`` or ``refused``; what is lost must be told, and what is kept must not."""
    photo = read_photo(Named(data, source))
    assert kept(photo), source
    stream = io.BytesIO()
    try:
        write_photo(photo, stream, format)
    except OutputError:
        return "refused"
    back = read_photo(io.BytesIO(stream.getvalue()))
    lost = unkept(photo, format)
    assert bool(lost) != kept(back), (format, lost)
    if not kept(back):
        return "no"
    return "as a profile" if back.icc_profile and not photo.icc_profile else "yes"


def cell(thing: Thing, format: str) -> str:
    """The same whatever the file that was read."""
    found = {outcome(source, data, format, thing.kept) for source, data in thing.files.items() if data is not None}
    assert len(found) == 1, found
    (word,) = found
    if word == "yes" and thing.large is not None:
        large = read_photo(io.BytesIO(thing.large))
        if unkept(large, format):
            stream = io.BytesIO()
            write_photo(large, stream, format)  # without it
            return "to 64 kB"
    return word


def table() -> str:
    lines = [f"| | read from | {' | '.join(OUTPUTS)} |", "| --- " * (2 + len(OUTPUTS)) + "|"]
    for name, thing in things().items():
        sources = ", ".join("jpg" if source == "jpeg" else source for source in thing.files)
        lines.append(f"| {name} | {sources} | {' | '.join(cell(thing, format) for format in OUTPUTS)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
