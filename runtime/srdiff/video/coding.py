"""How the result is coded: container, codec, pixel format; and encoders that are opened anew for each piece."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Iterable

from ..cpu import this_cpu
from ..errors import OptionError
from ..machine import usable_cpus
from .colours import Colours
from .film import Film
from .library import av, writing

# By suffix, as the muxers are called.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
# Constant rate factors where none is asked for: what people call visually lossless, by each codec's own scale.
CRF = {"libx264": 18, "libx265": 20, "libvpx-vp9": 24, "libsvtav1": 24}
# The encoders for transparency, by container; others hold none that players know.
_KEEPS_ALPHA = {"matroska": "ffv1", "mov": "prores_ks"}
NARROW = 64  # columns at which the x265 of PyAV 18.1.0 reads what it should not: other bytes, or the process's end
# Encoders that write the pixel aspect themselves; PyAV sets none in the heads of Matroska and WebM.
_SAYS_ASPECT = ("libx264", "libx264rgb", "libx265")
MOST_THREADS = 16  # of an encoder; its bytes follow the number
# What x264 takes for granted of a CPU once it is told to compute in AVX2, by Linux' names.
_AVX2 = {"avx2", "fma", "abm", "bmi1", "bmi2"}


@dataclass(frozen=True)
class Wishes:
    """What a caller wants of the coding; None is what suits the film.

    Attributes:
        codec: an encoder of FFmpeg's: ``libx264``, ``libx265``, ``libvpx-vp9``, ``libsvtav1``, ``ffv1``, …
        crf: constant rate factor on the codec's own scale; less is better and larger.
    """

    codec: str | None = None
    crf: float | None = None


@dataclass(frozen=True)
class Coded:
    """A packet of the result: when it is shown, in the film's ``time_base``, and whether one can start there."""

    data: bytes
    time: int
    key: bool


@dataclass(frozen=True)
class Coding:
    """Chosen for one film; see :func:`coding_for`. ``unkept`` is what of it is not held."""

    container: str
    codec: str
    options: dict[str, str]
    format: str
    width: int
    height: int
    colours: Colours
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None
    unkept: list[str]

    @property
    def label(self) -> str:
        """For a reader."""
        crf = f"crf {self.options['crf']} " if "crf" in self.options else ""
        return f"{self.codec} {crf}{self.format}"

    def prepare(self, context: Any) -> None:
        """Set up an encoder that is not open yet; all of them alike, so that their pieces fit into one stream."""
        context.width, context.height, context.pix_fmt = self.width, self.height, self.format
        context.time_base, context.framerate = self.time_base, self.rate
        if self.aspect:
            context.sample_aspect_ratio = self.aspect
        colours = self.colours
        context.colorspace = 0 if av.VideoFormat(self.format, 16, 16).is_rgb else colours.matrix
        context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        context.color_range = colours.range
        context.thread_count = min(usable_cpus(), MOST_THREADS)
        flags = av.codec.context.Flags
        context.flags |= flags.global_header | flags.closed_gop | flags.bitexact
        context.options = dict(self.options)
        if self.codec == "libx265" and self.container in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the one that Apple's players open

    def encode(self, frames: Iterable[tuple[Any, int]], name: str) -> list[Coded]:
        """Frames with their times as packets in decoding order, the first of which one can start at.

        Args:
            name: of the result, for messages.
        """
        with writing(name):
            context = av.CodecContext.create(self.codec, "w")
            self.prepare(context)
            packets, times = [], []
            for frame, time in frames:
                frame.pts, frame.time_base = time, self.time_base
                times.append(time)
                packets += context.encode(frame)
            packets += context.encode(None)
            coded = [Coded(bytes(packet), packet.pts, packet.is_keyframe) for packet in packets]
            if sorted(packet.time for packet in coded) != times or not coded[0].key:
                raise ValueError(f"{self.codec} does not keep the frames' times")
        return coded


def container_of(target: Path) -> str:
    """The container for a file's name."""
    try:
        return CONTAINERS[target.suffix.lower()]
    except KeyError:
        known = ", ".join(CONTAINERS)
        raise OptionError(f"{target} has no suffix of a film; give one of {known}") from None


def coding_for(film: Film, target: Path, width: int, height: int, wishes: Wishes) -> Coding:
    """What suits a film, its result's size, and the wishes.

    Raises:
        OptionError: there is no such encoder, or it cannot hold what it is to hold.
    """
    container = container_of(target)
    codec = wishes.codec or _usual(container, film)
    try:
        encoder = av.codec.Codec(codec, "w")
    except ValueError:
        raise OptionError(f"codec {codec!r} is no encoder here; give one like {', '.join(CRF)} or ffv1") from None
    if encoder.type != "video" or not encoder.video_formats:
        raise OptionError(f"codec {codec!r} codes no frames; give one like {', '.join(CRF)} or ffv1")
    format, unkept = _format(encoder, film)
    aspect = film.stream.sample_aspect_ratio
    if aspect not in (None, 1) and container in ("matroska", "webm") and codec not in _SAYS_ASPECT:
        unkept.append(f"pixel aspect {aspect.numerator}:{aspect.denominator}")
    shape = av.VideoFormat(format, width, height)
    if shape.chroma_width() * 2 == width + 1 or shape.chroma_height() * 2 == height + 1:
        raise OptionError(f"the result is {width}x{height} and {format} takes even sides; choose another scale or size")
    if codec == "libx265" and width <= NARROW:
        raise OptionError(
            f"the result is {width}x{height} and libx265 is not trusted with {NARROW} columns or fewer; "
            "choose another codec or size"
        )
    options = _always(codec)
    if codec in CRF or wishes.crf is not None:
        known = {option.name for option in av.CodecContext.create(codec, "w").supported_options.private}
        if "crf" not in known:
            raise OptionError(f"codec {codec} has no crf; leave it out, or choose one of {', '.join(CRF)}")
        options["crf"] = f"{CRF.get(codec) if wishes.crf is None else wishes.crf:g}"
    return Coding(
        container, codec, options, format, width, height, film.colours, film.time_base, film.rate,
        aspect, unkept,
    )  # fmt: skip


def _always(codec: str) -> dict[str, str]:
    """An encoder's options whatever is wished."""
    if codec == "libx265":
        return {"x265-params": "log-level=none"}
    # In AVX-512 the x264 of PyAV 18.1.0 reads memory that it has not filled: with 1 or 85 in it 96x64 and 240x160
    # gave other bytes. In AVX2 they are the usual ones whatever is in it, and 1280x720 took as long.
    if codec in ("libx264", "libx264rgb") and {"avx512f", *_AVX2} <= this_cpu().flags:
        return {"x264-params": "asm=avx2"}
    return {}


def _usual(container: str, film: Film) -> str:
    if film.colours.alpha:
        if container not in _KEEPS_ALPHA:
            raise OptionError(
                f"{film.name} has transparency, which {container} does not keep here; give an .mkv or .mov"
            )
        return _KEEPS_ALPHA[container]
    if container == "webm":
        return "libvpx-vp9"
    return "libx265" if film.colours.deep else "libx264"  # H.264 of more than 8 bits is played by few


def _format(encoder: Any, film: Film) -> tuple[str, list[str]]:
    """The encoder's pixel format that keeps most of the film's, and what it does not."""
    colours, source = film.colours, film.stream.format
    names = [format.name for format in encoder.video_formats if not format.name.startswith("yuvj")]
    wanted = "yuv" + source.name[4:] if source.name.startswith("yuvj") else source.name
    if not source.is_rgb and not source.has_palette:
        names = [name for name in names if not av.VideoFormat(name, 16, 16).is_rgb] or names
    elif encoder.lossy and not colours.alpha:
        wanted = "yuv420p10le" if colours.deep else "yuv420p"  # the one that all players know
    best, loss = av.codec.codec.find_best_pix_fmt_of_list(names, wanted, colours.alpha)
    kept = best is not None and not loss & av.codec.codec.PixFmtLoss.ALPHA
    if colours.alpha and (not kept or encoder.canonical_name in ("vp8", "vp9")):
        raise OptionError(
            f"{film.name} has transparency, which {encoder.name} does not keep here; give ffv1 as codec and an .mkv"
        )
    return str(best.name), depth_lost(source, best.name)


def depth_lost(source: Any, written: str) -> list[str]:
    """In words, where a pixel format has fewer bits than the film's."""
    bits = [max(part.bits for part in format.components) for format in (source, av.VideoFormat(written, 16, 16))]
    return [f"the depth of {source.name} ({written} is written)"] if bits[0] > bits[1] else []
