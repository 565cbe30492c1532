"""Which files are read: one list for a single file, a folder and a stream."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from ..errors import ImageError

# Pillow's names with the suffixes that files of them carry. Left out are formats that Pillow hands to other
# programs (EPS, WMF), those that hold no photographs, and JPEG 2000, where OpenJPEG leaves missing tiles blank
# without a word. TGA has no signature, so it is taken by its suffix alone.
_READABLE = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "AVIF": (".avif", ".avifs"),
    "HEIF": (".heic", ".heif", ".hif"),
    "TGA": (".tga",),
}
# Pillow's modules for them; HEIF has a library of its own.
_PLUGINS = ("Png", "Jpeg", "Tiff", "WebP", "Gif", "Bmp", "Ppm", "Avif", "Tga")
_RAW = "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
_OTHER = {
    "JPEG 2000": "jp2 j2k j2c jpc jpx jpf",
    "JPEG XL": "jxl",
    "camera raw": _RAW,
    "Photoshop": "psd psb",
    "GIMP": "xcf",
    "OpenEXR or Radiance": "exr hdr",
    "vector": "svg svgz eps ps pdf ai wmf emf",
    "video": "mp4 m4v mov avi mkv webm mpg mpeg 3gp mts",
}
_KIND = {f".{suffix}": kind for kind, suffixes in _OTHER.items() for suffix in suffixes.split()}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_HEIF_ADVICE = "install the extra srdiff[heif] (Python 3.8 or newer), or export it as jpg"


@lru_cache(maxsize=None)
def load_decoders() -> None:
    """Those of what is read here; ``Image.init`` would load all that Pillow has, which takes three times as long."""
    for plugin in _PLUGINS:
        with suppress(ImportError):  # AVIF came with Pillow 11.3
            import_module(f"PIL.{plugin}ImagePlugin")


def readable_formats() -> list[str]:
    """Pillow's names of the formats that are read here, HEIF and AVIF where a library for them is installed."""
    load_decoders()
    if find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
        if "AVIF" not in Image.OPEN and hasattr(pillow_heif, "register_avif_opener"):
            pillow_heif.register_avif_opener()
    return [name for name in _READABLE if name in Image.OPEN]


def readable_suffixes() -> frozenset[str]:
    """Lower-case suffixes, with their dot, of the files that are read here."""
    return frozenset(suffix for name in readable_formats() for suffix in _READABLE[name])


def unread_kind(path: Path) -> str | None:
    """What a file that is not read calls itself by its suffix, to count it by; None for one that is read."""
    suffix = path.suffix.lower()
    if suffix in readable_suffixes():
        return None
    for name in ("HEIF", "AVIF"):
        if suffix in _READABLE[name]:
            return name.replace("HEIF", "HEIC")
    return _KIND.get(suffix, "other")


def refuse_unread(name: str, head: bytes) -> None:
    """Raises ImageError with the true reason for a file whose first 32 bytes or name say that it is not read."""
    kind = _kind_of_bytes(head) or _KIND.get(Path(name).suffix.lower())
    if kind in ("HEIC", "AVIF"):
        if kind.replace("HEIC", "HEIF") not in readable_formats():
            raise ImageError(f"{name} is {kind}, which is not read here; {_HEIF_ADVICE}")
    elif kind == "camera raw":
        raise ImageError(f"{name} is a camera raw file, which is not read here; develop it to a 16-bit tiff or png")
    elif kind and kind != "other" and not _readable_bytes(head):
        raise ImageError(f"{name} is a {kind} file, which is not read here; save it as png, tiff or jpg")


def _kind_of_bytes(head: bytes) -> str | None:
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _HEIF_BRANDS:
        return "AVIF" if b"avif" in head[16:32] else "HEIC"
    if brand in (b"avif", b"avis"):
        return "AVIF"
    raw = head.startswith((b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FUJIFILMCCD-RAW", b"\0MRM", b"FOVb"))
    if raw or brand == b"crx " or (head[:2] == b"II" and head[8:10] == b"CR"):
        return "camera raw"
    if head.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")):
        return "JPEG 2000"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return "JPEG XL"
    if head.startswith(b"8BPS"):
        return "Photoshop"
    return "vector" if head.startswith((b"%!PS", b"%PDF", b"\xc5\xd0\xd3\xc6", b"<svg")) else None


def _readable_bytes(head: bytes) -> bool:
    """A readable file under another format's suffix is what its bytes say."""
    return head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"RIFF", b"GIF8", b"BM")) or (
        head[:1] == b"P" and head[1:2] in b"123456" and len(head) > 2
    )
