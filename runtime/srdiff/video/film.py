"""A film to read: what it says of itself, its frames as a stream, its other streams' packets."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Iterator

from ..errors import ImageError, OptionError
from ..photo.read import DEFAULT_MAX_PIXELS
from .colours import Colours, is_transparent
from .library import av, reading, said
from .source import Source
from .times import moment, timed

# Copied as they are; others are told not to be.
COPIED = ("audio", "subtitle", "attachment")
_JITTER = 1  # seconds that a frame's time may be before the last one's
# Of the first frame, by the names that FFmpeg has for it; not written.
_UNKEPT_SIDE_DATA = {
    "MASTERING_DISPLAY_METADATA": "mastering display",
    "CONTENT_LIGHT_LEVEL": "content light level",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DOVI_METADATA": "Dolby Vision",
    "A53_CC": "captions within the frames",
    "SPHERICAL": "spherical mapping",
    "STEREO3D": "stereo layout",
    "S12M_TIMECODE": "timecodes",
}


@dataclass(frozen=True)
class Part:
    """From when to when, in seconds from the film's beginning: frames that begin within it; None is its beginning or
    end.
    """

    start: Fraction | None = None
    end: Fraction | None = None

    def __post_init__(self) -> None:
        if min(self.start or 0, self.end or 0) < 0:
            raise OptionError("start and end count from the film's beginning; give seconds from 0")
        if self.end is not None and self.end <= (self.start or 0):
            raise OptionError(
                f"end {float(self.end):g} is not after start {float(self.start or 0):g}; give a later one"
            )


@dataclass(frozen=True)
class Shot:
    """One frame, decoded: its time and length count in the film's ``time_base``, from the part's start."""

    frame: Any
    time: int
    length: int


class Film:
    """The first film in a file; a context manager.

    Attributes:
        name: for messages.
        source: its file.
        container, stream: PyAV's.
        width, height: in pixels, as they are stored; ``matrix`` turns them, for players.
        colours: what it says of them.
        time_base: seconds that times count in.
        rate: frames per second, on average.
        matrix: the nine numbers of its display matrix, or None.

    Raises:
        ImageError: it is no film that is read here, damaged, changed while it is read, or its frames are larger than
            ``max_pixels``.
        OptionError: nothing of it is within ``part``.
    """

    def __init__(self, path: Path, part: Part | None = None, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self.name = str(path)
        self._part = part or Part()
        self._max_pixels = max_pixels
        self._closing = ExitStack()
        try:
            with reading(self.name):
                self.source = self._closing.enter_context(Source(path))
                self.container = self._closing.enter_context(self.source.opened())
                self._look()
        except BaseException:
            self._closing.close()
            raise

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _moving(self, container: Any) -> Any:
        """The stream of moving pictures, told what it may take."""
        cover = av.stream.Disposition.attached_pic
        found = [stream for stream in container.streams.video if not stream.disposition & cover]
        if not found:
            raise ImageError(f"{self.name} has no moving pictures; give a film")
        context = found[0].codec_context
        if context is None:
            raise ImageError(f"{self.name} is coded in a way that is not known here; give a film in another codec")
        context.options = {**context.options, "max_pixels": str(self._max_pixels)}
        return found[0]

    def _look(self) -> None:
        """Into the head, and at the first frame."""
        self.stream = stream = self._moving(self.container)
        self._refuse_large(stream.width, stream.height)
        first = next(self.container.decode(stream), None)
        if first is None:
            raise ImageError(f"{self.name} has no frame that can be decoded; give a complete film")
        self.width, self.height = first.width, first.height
        self.colours = Colours.of(stream, self.name, first.format.has_palette and self._shows_through())
        self.time_base = stream.time_base
        self.rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        self.matrix = _matrix(first)
        self.interlaced = first.interlaced_frame
        self._format = first.format.name
        self._origin = Fraction(self.container.start_time or 0, av.time_base)
        self._unkept = self._not_carried(first)
        self._damaged: list[Fraction] = []
        self._late = 0

    def _shows_through(self) -> bool:
        """Whether a frame of a film with palettes is transparent: each may have its own, and only looking tells."""
        with self.source.opened() as container, suppress(av.FFmpegError):  # what is damaged is told when it is made
            return any(map(is_transparent, container.decode(self._moving(container))))
        return False

    def _refuse_large(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            raise ImageError(
                f"{self.name} has frames of {width}x{height} and max_pixels is {self._max_pixels}; "
                f"raise that to {width * height}, or give a smaller film"
            )

    def _not_carried(self, first: Any) -> list[str]:
        unkept = [
            f"stream {stream.index} ({stream.type})"
            for stream in self._streams
            if stream.type not in COPIED and stream is not self.stream
        ]
        kinds = {side.type.name for side in first.side_data}
        unkept += [words for name, words in _UNKEPT_SIDE_DATA.items() if name in kinds]
        if self.stream.metadata.get("alpha_mode") == "1" and not self.colours.alpha:
            unkept.append("transparency, which its decoder does not give")
        return unkept

    @property
    def unkept(self) -> list[str]:
        """What is not carried over, each in a few words; of damage, what :meth:`shots` has met."""
        unkept = list(self._unkept)
        if self._damaged:
            unkept.append(
                f"what {len(self._damaged)} damaged frames showed (the first at {moment(self._damaged[0])} s)"
            )
        if self._late:
            unkept.append(f"{self._late} frames whose times are not after those before them")
        return unkept

    @property
    def others(self) -> list[Any]:
        """Streams that are copied."""
        return [stream for stream in self._streams if stream.type in COPIED]

    @property
    def _streams(self) -> list[Any]:
        """But for those that hold the words of MP4's chapters, which are read as chapters already."""
        return [stream for stream in self.container.streams if stream.discard != av.stream.Discard.all]

    @property
    def shift(self) -> Fraction:
        """Seconds that times are earlier in the result: none where the part begins with the film."""
        return Fraction(0) if self._part.start is None else self._origin + self._part.start

    @property
    def span(self) -> tuple[Fraction, Fraction | None]:
        """The part in the film's own times."""
        end = None if self._part.end is None else self._origin + self._part.end
        return self._origin + (self._part.start or 0), end

    @property
    def count(self) -> int | None:
        """About how many frames the part has, as far as the head tells."""
        duration = None if self.container.duration is None else Fraction(self.container.duration, av.time_base)
        if self._part == Part() and self.stream.frames:
            return int(self.stream.frames)
        end = self._part.end if duration is None else min(duration, self._part.end or duration)
        return None if end is None else max(1, round((end - (self._part.start or 0)) * self.rate))

    def shots(self) -> Iterator[Shot]:
        """The part's frames, in the order in which they are shown; a frame whose time is not after the one before it
        is left out.
        """
        begun, last, usual = False, None, max(1, round(1 / (self.rate * self.time_base)))
        shift, end = round(self.shift / self.time_base), self.span[1]
        with reading(self.name):
            for frame, time in timed(self._decoded(), usual, self.container.format.name):
                if end is not None and time * self.time_base >= end:
                    break
                if last is not None and time <= last:
                    self._refuse_joined(last, time)
                    self._late += 1
                    continue
                last = time
                if self._part.start is None or time * self.time_base >= self.shift:
                    begun = True
                    if frame.is_corrupt:
                        self._damaged.append(time * self.time_base - self._origin)
                    yield Shot(frame, time - shift, frame.duration or usual)
        if not begun:
            raise OptionError(f"{self.name} has no frame in this part; give another start or end")

    def _refuse_joined(self, last: int, time: int) -> None:
        if (last - time) * self.time_base > _JITTER:
            raise ImageError(
                f"{self.name} goes back in time after {moment(last * self.time_base - self._origin)} s, as where two "
                "films are joined; end it there, and take the rest from a file of its own"
            )

    def _decoded(self) -> Iterator[Any]:
        """Frames from the part's start or before."""
        if self._part.start is not None:
            with self.source.opened() as container:
                frames = self._sought(container)
                first = next(frames, None)
                if first is not None:
                    yield first
                    yield from frames
                    return
        with self.source.opened() as container:
            yield from self._checked(container)

    def _sought(self, container: Any) -> Iterator[Any]:
        """Those from a key frame on that is not after the part's start. None where seeking leads to no such: in MPEG-TS
        it leads between two, and in streams without a container nowhere.
        """
        try:
            container.seek(round(self.shift / self.time_base), stream=self._moving(container), backward=True)
            frames = self._checked(container)
            first = next(frames, None)
        except (av.FFmpegError, ImageError):
            return
        if first is None or first.pts is None or not first.key_frame or first.pts * self.time_base > self.shift:
            return
        yield first
        yield from frames

    def _checked(self, container: Any) -> Iterator[Any]:
        seen = Fraction(0)
        try:
            for frame in container.decode(self._moving(container)):
                if (frame.width, frame.height) != (self.width, self.height) or frame.format.name != self._format:
                    raise ImageError(
                        f"{self.name} changes from {self.width}x{self.height} {self._format} to {frame.width}x"
                        f"{frame.height} {frame.format.name} after {moment(seen)} s; end it there, and take the rest "
                        "from a file of its own"
                    )
                if frame.pts is not None:
                    seen = frame.pts * self.time_base - self._origin
                yield frame
        except av.FFmpegError as error:
            raise ImageError(
                f"{self.name} is damaged after {moment(seen)} s ({said(error)}); end it there, or give a complete one"
            ) from error

    def packets(self) -> Iterator[Any]:
        """Packets of the other streams that begin within the part, as they lie in the file, times as in the result."""
        wanted = [stream.index for stream in self.others if stream.type != "attachment"]
        if not wanted:
            return
        start, end = self.span
        with reading(self.name), self.source.opened() as container:
            for packet in container.demux([container.streams[number] for number in wanted]):
                if packet.size == 0 or (packet.pts is None and packet.dts is None):
                    continue  # what PyAV ends a stream with
                base = packet.stream.time_base
                time = (packet.pts if packet.pts is not None else packet.dts) * base
                if (self._part.start is not None and time < start) or (end is not None and time >= end):
                    continue
                shift = round(self.shift / base)
                packet.pts = None if packet.pts is None else packet.pts - shift
                packet.dts = packet.pts if packet.dts is None else packet.dts - shift
                yield packet


def _matrix(frame: Any) -> tuple[int, ...] | None:
    for side in frame.side_data:
        if side.type.name == "DISPLAYMATRIX":
            return tuple(memoryview(bytes(side)).cast("i"))
    return None
