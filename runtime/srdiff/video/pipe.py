"""Frames to standard output, from standard input or a film, as YUV4MPEG2: for people's own chains of programs."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Iterable, Iterator

from ..atomic_files import cannot_write
from ..errors import ImageError, OptionError
from ..jobs.work import JobSettings
from ..progress import Progress
from ..standard_streams import input_bytes, output_bytes, silence_output
from ..upscaler import Upscaler
from .coding import depth_lost
from .colours import Colours
from .film import Film, Part
from .frames import FrameMaker, Made, Tell
from .library import av, reading, writing

Y4M = "yuv4mpegpipe"  # as FFmpeg calls it
_FORMATS = ("yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv422p10le", "yuv444p10le")


def enlarge_to_pipe(source: Path | None, upscaler: Upscaler, settings: JobSettings, part: Part, tell: Tell) -> Made:
    """The frames of a film, or those that come from standard input as YUV4MPEG2, to standard output as the same.

    The format has one rate and no times, no sound and no matrix; what a film loses by that is in ``unkept``.

    Args:
        source: a film; None is standard input.
        part: of a film.

    Raises:
        ImageError: the source cannot be read, or is too large.
        OptionError: a part of standard input is asked for.
        OutputError: nobody reads the output.
    """
    if source is None:
        if part != Part():
            raise OptionError("start and end are of files, and standard input is taken whole; leave them out")
        return _from_input(upscaler, settings, tell)
    with Film(source, part, settings.max_pixels) as film:
        times: list[int] = []

        def frames() -> Iterator[Any]:
            for shot in film.shots():
                times.append(shot.time)
                yield shot.frame

        pipe = _Pipe(film.stream, film.colours, FrameMaker(upscaler, settings))
        made = pipe.write(frames(), film.count, film.interlaced, tell)
        film.source.stay()
        unkept = [*made.unkept, *film.unkept, *(f"stream {stream.index} ({stream.type})" for stream in film.others)]
        if film.matrix is not None:
            unkept.append("the display matrix")
        steps = {after - before for before, after in zip(times, times[1:])}
        if steps and max(steps) - min(steps) > 1:
            unkept.append("frame times, which are of no one rate")
        return replace(made, unkept=unkept)


def _from_input(upscaler: Upscaler, settings: JobSettings, tell: Tell) -> Made:
    name = "standard input"
    with reading(name), closing(av.open(input_bytes(), format=Y4M)) as container:
        stream = container.streams.video[0]
        if stream.width * stream.height > settings.max_pixels:
            raise ImageError(
                f"{name} has frames of {stream.width}x{stream.height} and max_pixels is {settings.max_pixels}; raise "
                "that, or give smaller ones"
            )
        frames = _decoded(container, stream, name)
        first = next(frames, None)
        if first is None:
            raise ImageError(f"{name} has no frame; give a complete film")
        pipe = _Pipe(stream, Colours.of(stream, name), FrameMaker(upscaler, settings))
        return pipe.write(chain([first], frames), None, first.interlaced_frame, tell)


def _decoded(container: Any, stream: Any, name: str) -> Iterator[Any]:
    with reading(name):
        yield from container.decode(stream)


class _Pipe:
    """Standard output for frames of a stream.

    Args:
        stream: PyAV's; its rate, aspect and pixel format are the result's, but for formats that cannot be written.
        colours: of its frames.
        maker: of the results.
    """

    def __init__(self, stream: Any, colours: Colours, maker: FrameMaker) -> None:
        self._stream = stream
        self._colours = colours
        self._maker = maker
        self._size = maker.size(stream.width, stream.height)
        wanted = stream.format.name.replace("yuvj", "yuv")
        best, _ = av.codec.codec.find_best_pix_fmt_of_list(_FORMATS, wanted, False)
        self._format = best.name
        self._unkept = depth_lost(stream.format, best.name)
        if colours.alpha:
            self._unkept.append("transparency")

    def write(self, frames: Iterable[Any], total: int | None, interlaced: bool, tell: Tell) -> Made:
        """All of them; for ``total`` see :data:`srdiff.video.frames.Tell`."""
        started, count = time.perf_counter(), 0
        try:
            with writing("standard output"), closing(av.open(output_bytes(), "w", **self._options)) as container:
                output = self._added(container)
                for frame in frames:
                    large = self._large(frame, count, total, tell)
                    large.pts, large.time_base = count, output.codec_context.time_base
                    container.mux(output.encode(large))
                    count += 1
                container.mux(output.encode(None))
        except OSError as error:
            silence_output()
            raise cannot_write("standard output", error) from error
        seconds = time.perf_counter() - started
        return Made(count, 0, self._size, f"y4m {self._format}", self._unkept, interlaced, seconds)

    @property
    def _options(self) -> dict[str, Any]:
        # More than 8 bits are an extension, which all readers know by now.
        return {"format": Y4M, "container_options": {"strict": "-1"}}

    def _added(self, container: Any) -> Any:
        rate = self._stream.average_rate or self._stream.guessed_rate or 25
        output = container.add_stream("wrapped_avframe", rate=rate)
        output.width, output.height = self._size
        output.pix_fmt, output.codec_context.time_base = self._format, 1 / rate
        output.codec_context.color_range = self._colours.range
        if self._stream.sample_aspect_ratio:
            output.codec_context.sample_aspect_ratio = self._stream.sample_aspect_ratio
        return output

    def _large(self, frame: Any, number: int, total: int | None, tell: Tell) -> Any:
        def watch(progress: Progress) -> None:
            tell(number + progress.done / progress.total, 0, total)

        large = self._colours.frame(self._maker.make(self._colours.photo(frame), watch), self._format)
        tell(number + 1, 0, total)
        return large
