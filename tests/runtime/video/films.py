"""Small films: a window that moves over a photo, with a tone; what is in a film; and one enlarged."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Sequence

import av
import numpy as np
import skimage.data

from srdiff.jobs.work import JobSettings
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler
from srdiff.video.coding import Wishes
from srdiff.video.enlarging import enlarge_film
from srdiff.video.film import Part
from srdiff.video.frames import Made

PHOTO = skimage.data.astronaut()
CLOCK = Fraction(1, 90000)
RATE = 48000
STEADY = tuple(3600 * number for number in range(12))
UNSTEADY = (0, 3600, 5400, 12600, 16201, 30000, 33600, 40000)
SETTINGS = JobSettings(sampler=Sampler(steps=1))


def made(upscaler: Upscaler, source: Path, target: Path, tell: Any = lambda *_: None, **wishes: Any) -> Made:
    return enlarge_film(source, target, upscaler, SETTINGS, Part(), Wishes(**wishes), tell)


def left(folder: Path) -> list[str]:
    """Hidden files, which no finished run leaves."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def views(count: int, width: int = 24, height: int = 16, step: int = 3) -> list[np.ndarray]:
    """Frames [h, w, 3] of a window that moves by ``step`` pixels."""
    return [
        np.ascontiguousarray(PHOTO[60 : 60 + height, 100 + step * number : 100 + step * number + width])
        for number in range(count)
    ]


def film(
    path: Path,
    times: Sequence[int] = STEADY,
    frames: list[np.ndarray] | None = None,
    codec: str = "libx264",
    format: str = "yuv420p",
    sound: str | None = "aac",
    rotation: float = 0,
    tags: tuple[int, int, int, int] = (1, 1, 1, 1),
    chapter: bool = False,
) -> Path:
    """A film of frames at times; ``tags`` are matrix, primaries, transfer and range."""
    frames = views(len(times)) if frames is None else frames
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "A window"
        video = container.add_stream(codec, rate=25, time_base=CLOCK)
        context = video.codec_context
        context.height, context.width = frames[0].shape[:2]
        context.pix_fmt, context.time_base = format, CLOCK
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = tags
        context.options = {"crf": "5"} if codec == "libx264" else {}
        if rotation:
            video.set_display_rotation(rotation)
        audio = container.add_stream(sound, rate=RATE) if sound else None
        if audio is not None:
            audio.metadata["language"] = "zho"
        if chapter:
            container.set_chapters(
                [{"id": 1, "start": 0, "end": 300, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}]
            )
        for pixels, time in zip(frames, times):
            whole = av.VideoFrame.from_ndarray(pixels, format="rgb24" if pixels.shape[2] == 3 else "rgba")
            frame = whole.reformat(
                format=format, dst_colorspace=tags[0] if tags[0] == 1 else 5, dst_color_range=tags[3]
            )
            frame.pts, frame.time_base = time, CLOCK
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            _tone(container, audio, float(times[-1] * CLOCK) + 0.04)
    return path


def _tone(container: Any, audio: Any, seconds: float) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)
    for start in range(0, len(wave), 960):
        samples = np.stack([wave[start : start + 960]] * 2)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        container.mux(audio.encode(frame))
    container.mux(audio.encode(None))


@dataclass
class Content:
    """Of a film: what it says, its frames and when they are shown, its sound as it lies there."""

    size: tuple[int, int]
    times: list[Fraction]
    frames: list[np.ndarray]
    tags: tuple[int, int, int, int]
    matrix: bytes | None
    sound: list[bytes]
    sound_times: list[Fraction]
    decoding: list[Fraction]
    metadata: dict[str, str]
    languages: list[str | None]
    chapters: int


def with_subtitles(source: Path, target: Path) -> Path:
    """A Matroska film with two lines of text and a font more than the one that it is made from."""
    with av.open(str(source)) as film, av.open(str(target), "w") as container:
        streams = {stream.index: container.add_stream_from_template(stream, opaque=True) for stream in film.streams}
        text = container.add_mux_stream("subrip")
        text.time_base = Fraction(1, 1000)
        text.metadata["language"] = "fra"
        container.add_attachment("a.ttf", "font/ttf", b"no font")
        for packet in film.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                container.mux(packet)
        for start, line in ((50, b"one"), (250, b"two")):
            packet = av.Packet(line)
            packet.pts = packet.dts = start
            packet.duration, packet.time_base, packet.stream = 150, Fraction(1, 1000), text
            container.mux(packet)
    return target


def lines(path: Path) -> list[tuple[int, int, bytes]]:
    """Subtitles: from when, how long, what."""
    with av.open(str(path)) as film:
        packets = [packet for packet in film.demux(film.streams.subtitles[0]) if packet.size]
        return [(packet.pts, packet.duration, bytes(packet)) for packet in packets]


def samples(frame: Any) -> list[bytes]:
    """Of a frame's planes, without what lies behind their rows."""
    deep = 2 if frame.format.components[0].bits > 8 else 1
    rows = [(np.frombuffer(plane, np.uint8).reshape(plane.height, -1), deep * plane.width) for plane in frame.planes]
    return [lines[:, :width].tobytes() for lines, width in rows]


def content(path: Path) -> Content:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames = list(container.decode(video))
        side = frames[0].side_data.get("DISPLAYMATRIX")
        facts = {
            "size": (frames[0].width, frames[0].height),
            "times": [frame.pts * video.time_base for frame in frames],
            "frames": [frame.to_ndarray(format="rgb24") for frame in frames],
            "tags": (video.colorspace, video.color_primaries, video.color_trc, video.color_range),
            "matrix": None if side is None else bytes(side),
            "metadata": dict(container.metadata),
            "languages": [stream.language for stream in container.streams.audio],
            "chapters": len(container.chapters()),
        }
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux() if packet.size]
        sound = [packet for packet in packets if packet.stream.type == "audio"]
        facts["sound"] = [bytes(packet) for packet in sound]
        facts["sound_times"] = [packet.pts * packet.time_base for packet in sound]
        moving = [packet for packet in packets if packet.stream.type == "video" and packet.dts is not None]
        facts["decoding"] = [packet.dts * packet.time_base for packet in moving]
    return Content(**facts)
