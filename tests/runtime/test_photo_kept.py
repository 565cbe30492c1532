"""What belongs to a picture: kept where the result's format can hold it, told where not, shown as the input shows."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from srdiff.errors import ImageError
from srdiff.photo.colour_tags import _CURVES, _PRIMARIES, _matrices
from srdiff.photo.convert import photo_from, to_pil
from srdiff.photo.photo import Photo
from srdiff.photo.unkept import unkept
from srdiff.photo.write import FORMATS, write_photo

from .kept_table import IPTC, XMP, deep_tiff, exif, jpeg_with, png_with, raw_profile, resource, table
from .pictures import SRGB, encoded, png_bytes, read, refused, smooth, with_metadata

PAGE = Path(__file__).parents[2] / "docs" / "enlarge.md"


def written(photo: Photo, format: str) -> bytes:
    stream = io.BytesIO()
    write_photo(photo, stream, format)
    return stream.getvalue()


def test_readme_has_the_table_of_what_is_kept() -> None:
    assert table() in PAGE.read_text(encoding="utf-8"), "print it with python -m tests.runtime.kept_table"


def full(dtype: type) -> Photo:
    plain = with_metadata(smooth().astype(dtype))
    words = (("Author", "me"), ("Comment", "größer, 大"), ("Comment", "again"))
    return Photo(**{**vars(plain), "xmp": XMP, "iptc": IPTC, "text": words})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_keeps_everything_and_is_read_by_others(dtype: type) -> None:
    photo = full(dtype)
    data = written(photo, "png")
    back = read(data)
    for name in ("icc_profile", "exif", "xmp", "iptc", "text"):
        assert getattr(back, name) == getattr(photo, name), name
    assert unkept(photo, "png") == []
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.info["icc_profile"] == SRGB and image.getexif()[0x010F] == "Maker"
        assert image.text["Author"] == "me" and image.text["Comment"] == "again"  # Pillow keeps the last
        assert image.text["XML:com.adobe.xmp"] == XMP.decode()


def test_jpeg_and_tiff_are_read_by_others() -> None:
    photo = full(np.uint8)
    with Image.open(io.BytesIO(written(photo, "jpg"))) as image:
        assert image.info["photoshop"] == {0x0404: IPTC}
        assert image.info["comment"].decode() in ("größer, 大", "again")
        markers = [data for marker, data in image.applist if marker == "APP1"]
        assert any(data.endswith(XMP) for data in markers) and image.getexif()[0x010F] == "Maker"
    with Image.open(io.BytesIO(written(photo, "tiff"))) as image:
        assert (image.tag_v2[700], image.tag_v2[33723]) == (XMP, IPTC) and image.tag_v2[0x010F] == "Maker"
    with Image.open(io.BytesIO(written(photo, "webp"))) as image:
        assert image.info["xmp"] == XMP and image.getexif()[282] == 240


def test_what_is_lost_is_named() -> None:
    photo = full(np.uint16)
    assert unkept(photo, "webp") == ["IPTC", "text (Author, Comment)", "16 bits (8 are)"]
    assert unkept(photo, "jpg") == ["text (Author)", "16 bits (8 are)"]
    large = Photo(smooth(), exif=exif(70_000), xmp=bytes(70_001), text=(("Comment", "x" * 70_000),))
    assert unkept(large, "jpg") == [
        f"EXIF ({len(exif(70_000))} bytes, more than a segment holds)",
        "XMP (70001 bytes, more than a segment holds)",
        "text (Comment)",
    ]
    assert read(written(large, "jpg")).xmp is None
    grey_profile = SRGB[:16] + b"GRAY" + SRGB[20:]
    grey = photo_from(smooth()[..., 0])
    assert unkept(Photo(grey.pixels, grey=True, icc_profile=grey_profile), "webp") == ["the profile of grey"]


@pytest.mark.parametrize("size", [65533 - 29, 65533 - 29 + 1])
def test_xmp_at_the_edge_of_a_segment(size: int) -> None:
    photo = Photo(smooth(), xmp=b"x" * size)
    back = read(written(photo, "jpg"))
    assert (back.xmp == photo.xmp) == (unkept(photo, "jpg") == []) == (size == 65533 - 29)


@pytest.mark.parametrize("size", [1, 2, 65533 - 14 - 12 - 1])
def test_iptc_of_any_length(size: int) -> None:
    photo = Photo(smooth(), iptc=b"i" * size)
    for format in ("png", "jpg", "tiff"):
        assert read(written(photo, format)).iptc == photo.iptc, format


def test_iptc_declared_as_long_and_among_other_resources() -> None:
    records = IPTC + bytes(-len(IPTC) % 4)
    tiff = encoded(Image.fromarray(smooth()), "TIFF", tiffinfo={33723: records})
    entry = struct.pack("<HHI", 33723, 1, len(records)), struct.pack("<HHI", 33723, 7, len(records))
    as_long = struct.pack("<HHI", 33723, 4, len(records) // 4)
    assert read(tiff.replace(entry[0], as_long).replace(entry[1], as_long)).iptc == records
    assert read(deep_tiff((smooth() * np.uint16(257)).astype(np.uint16), records)).iptc == records
    other = b"8BIM\x03\xed\x03abc" + struct.pack(">I", 3) + b"xyz\0"
    assert read(png_with(raw_profile("iptc", other + resource(IPTC)))).iptc == IPTC
    assert read(png_with(raw_profile("iptc", other[:-3]))).iptc is None


def test_damaged_text_costs_no_picture_and_a_flood_of_it_is_refused() -> None:
    iptc = (b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(b"\niptc\nmany\nzz"))
    unreadable = (b"tEXt", b"without an end")
    photo = read(png_with(iptc, unreadable, (b"tEXt", b"Author\0me")))
    assert photo.iptc is None and ("Author", "me") in photo.text
    flood = [(b"tEXt", b"a\0" + bytes(1 << 20))] * 65
    assert "text" in refused(png_with(*flood))


# Colour

_EXACT: Any = 0x0100  # lcms without its tables for speed, coarse near black; its name in Pillow has changed


def shown(data: bytes) -> np.ndarray:
    """As a colour-managed viewer shows it: sRGB levels by the file's profile."""
    with Image.open(io.BytesIO(data)) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        result = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB", flags=_EXACT
        )
        assert result is not None
        return np.asarray(result).astype(int)


def srgb_levels(light: np.ndarray) -> np.ndarray:
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)
    return np.rint(255 * np.clip(curve, 0, 1)).astype(int)


@pytest.mark.parametrize("gamma", [1.0, 0.45455, 0.55556])
@pytest.mark.parametrize("grey", [False, True])
def test_gama_shows_the_same_in_a_format_with_profiles_only(gamma: float, grey: bool) -> None:
    samples = smooth()[..., 0] if grey else smooth()
    chunk = (b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    photo = read(with_chunk(samples, chunk))
    assert photo.gamma == pytest.approx(gamma) and photo.grey == grey
    expected = srgb_levels((np.atleast_3d(samples) / 255) ** (1 / gamma))
    result = shown(written(photo, "tiff"))
    assert np.abs(result - expected).max() <= 1  # lcms computes 8-bit pictures in tables of 16 bits
    assert read(written(photo, "png")).gamma == pytest.approx(gamma)
    assert unkept(photo, "tiff") == unkept(photo, "png") == []


def with_chunk(samples: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    data = encoded(Image.fromarray(samples), "PNG")
    extra = png_with(*chunks)[33 : len(png_with(*chunks)) - len(png_bytes(smooth(13, 17))) + 33]
    return data[:33] + extra + data[33:]


def test_primaries_of_chrm_and_of_cicp() -> None:
    """Green of Display P3 lies outside sRGB, its white is sRGB's, and dark red stays a red."""
    p3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
    chrm = (b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in p3)))
    samples = np.zeros((4, 4, 3), np.uint8)
    samples[0], samples[1], samples[2] = 255, (0, 255, 0), (128, 0, 0)
    by_cicp = read(with_chunk(samples, (b"cICP", b"\x0c\x0d\0\1"), (b"gAMA", struct.pack(">I", 1))))
    by_chrm = read(with_chunk(samples, (b"gAMA", struct.pack(">I", 45455)), chrm))
    assert by_cicp.gamma is None and by_chrm.chromaticity == pytest.approx(p3)
    to_srgb = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])  # CSS Color 4
    for photo, light in ((by_cicp, ((128 / 255 + 0.055) / 1.055) ** 2.4), (by_chrm, (128 / 255) ** 2.2)):
        result = shown(written(photo, "tiff"))
        expected = srgb_levels(to_srgb @ np.array([[1, 1, 1], [0, 1, 0], [light, 0, 0]]).T).T
        assert np.abs(result[:3, 0] - expected).max() <= 1
    assert read(written(by_chrm, "png")).chromaticity == pytest.approx(p3)
    assert read(written(by_cicp, "png")).cicp == b"\x0c\x0d\0\1"


@pytest.mark.parametrize("transfer", sorted(_CURVES))
def test_curves_are_those_of_h_273(transfer: int) -> None:
    """The electrical value of light, by table 3 there, and back."""
    value = {
        **dict.fromkeys((1, 6, 14, 15), lambda light: 4.5 * light if light < 0.018 else 1.099 * light**0.45 - 0.099),
        4: lambda light: light ** (1 / 2.2),
        5: lambda light: light ** (1 / 2.8),
        8: lambda light: light,
        13: lambda light: 12.92 * light if light < 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055,
    }[transfer]
    gamma, a, b, c, d = (*_CURVES[transfer], 1.0, 0.0, 0.0, 0.0)[:5]
    for light in np.linspace(0, 1, 201):
        electrical = value(light)
        back = (a * electrical + b) ** gamma if electrical >= d else c * electrical
        assert back == pytest.approx(light, abs=2e-4)


@pytest.mark.parametrize(
    ("primaries", "columns"),
    [
        (1, [[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7139]]),
        (9, [[0.6735, 0.2790, -0.0019], [0.1657, 0.6754, 0.0300], [0.1251, 0.0456, 0.7969]]),
        (12, [[0.5151, 0.2412, -0.0011], [0.2920, 0.6922, 0.0419], [0.1571, 0.0666, 0.7841]]),
    ],
)
def test_primaries_are_those_of_well_known_profiles(primaries: int, columns: list[list[float]]) -> None:
    """XYZ under D50, as sRGB's, Rec. 2020's and Display P3's profiles have them."""
    found, _ = _matrices(_PRIMARIES[primaries])
    np.testing.assert_allclose(found.T, columns, rtol=0, atol=3e-4)


def test_srgb_and_a_profile_come_before_gama() -> None:
    gamma = (b"gAMA", struct.pack(">I", 100_000))
    assert read(png_with((b"sRGB", b"\0"), gamma)).gamma is None
    assert read(png_with((b"iCCP", b"it\0\0" + zlib.compress(SRGB)), gamma)).gamma is None


def test_a_pillow_image_gets_the_profile_too() -> None:
    with Image.open(io.BytesIO(png_with((b"gAMA", struct.pack(">I", 100_000)), (b"tEXt", b"Author\0me")))) as image:
        photo = photo_from(image)
    assert photo.gamma == 1 and photo.text == (("Author", "me"),)
    assert to_pil(photo).info["icc_profile"][36:40] == b"acsp"


@pytest.mark.parametrize("primaries", [(0.0,) * 8, (0.3, 0.3) * 4, (1e9, 1, 2, 3, 4, 5, 6, 7)])
def test_senseless_primaries_cost_no_picture(primaries: tuple[float, ...]) -> None:
    photo = Photo(smooth(), gamma=0.5, chromaticity=primaries)
    assert unkept(photo, "jpg") == ["gAMA"]
    assert read(written(photo, "jpg")).icc_profile is None


@pytest.mark.parametrize(
    "changes", [{"gamma": 0.0}, {"gamma": float("nan")}, {"cicp": b"abc"}, {"chromaticity": (1.0,)}]
)
def test_a_photo_refuses_what_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(ImageError, match=next(iter(changes))):
        Photo(smooth(), **changes)


def test_adobe_rgb_said_by_exif_alone_stays() -> None:
    tags = Image.Exif()
    tags[0x8769] = {0xA001: 65535, 0xA005: {1: "R03"}}
    photo = read(encoded(Image.fromarray(smooth()), "JPEG", exif=tags.tobytes()))
    for format in FORMATS:
        kept = Image.Exif()
        kept.load(read(written(photo, format)).exif)
        assert kept.get_ifd(0xA005)[1] == "R03", format


def test_a_comment_in_latin_1() -> None:
    assert read(jpeg_with(0xFE, b"gr\xf6\xdfer\0")).text == (("Comment", "größer"),)
