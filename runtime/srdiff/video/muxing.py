"""The finished packets and the film's other streams, put together into one file."""

from __future__ import annotations

import io
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, Iterable, Iterator

from ..errors import OptionError
from .coding import Coded, Coding
from .film import Film
from .library import av, writing

# What muxers write themselves.
_OWN_TAGS = ("encoder", "duration", "major_brand", "minor_version", "compatible_brands")
# Matroska's tags about the old stream.
_OLD_TAGS = ("bps", "number_of_", "_statistics")


def check(film: Film, coding: Coding, target: Path) -> None:
    """Write a head into memory, so that what the container refuses is known before hours of work.

    Raises:
        OptionError: the container takes no such stream.
        OutputError: it, or the codec, takes no such settings.
    """
    with writing(str(target)), closing(_opened(io.BytesIO(), coding)) as container:
        _streams(container, film, coding, target)
        container.start_encoding()


def write(
    film: Film, coding: Coding, packets: Iterable[Coded], times: list[int], end: int, target: Path, temporary: Path
) -> None:
    """A whole file.

    Args:
        packets: of the moving pictures, in decoding order.
        times: of the same packets.
        end: the time when the last frame ends.
        target: for messages.
        temporary: is written in place; see :func:`srdiff.atomic_files.atomic_file`.
    """
    with writing(str(target)), temporary.open("wb") as file, closing(_opened(file, coding)) as container:
        video, others = _streams(container, film, coding, target)
        container.start_encoding()
        copied = _copied(film, others)
        waiting = next(copied, None)
        for packet in _timed(packets, times, end, coding.time_base, video):
            while waiting is not None and waiting.dts * waiting.time_base <= packet.dts * packet.time_base:
                container.mux_one(waiting)
                waiting = next(copied, None)
            container.mux_one(packet)
        while waiting is not None:
            container.mux_one(waiting)
            waiting = next(copied, None)


def _opened(file: Any, coding: Coding) -> Any:
    # Times stay as they are, those before zero, too; no dates and no random numbers, so that the same is the same.
    options = {"avoid_negative_ts": "disabled"}
    container = av.open(file, "w", format=coding.container, container_options=options)
    container.flags |= av.container.Flags.bitexact.value
    return container


def _streams(container: Any, film: Film, coding: Coding, target: Path) -> tuple[Any, dict[int, Any]]:
    """Adds them all in the film's order; gives the one of the pictures, and the others by their number in the film."""
    container.metadata.update(_tags(film.container.metadata))
    others = {}
    for stream in sorted([film.stream, *film.others], key=lambda stream: stream.index):
        if stream is film.stream:
            video = made = container.add_stream(coding.codec, rate=coding.rate, time_base=coding.time_base)
            coding.prepare(made.codec_context)
            if film.matrix is not None:
                made.set_display_matrix(film.matrix)
        else:
            try:
                made = others[stream.index] = container.add_stream_from_template(stream)
            except ValueError as error:
                kind = stream.type if stream.codec_context is None else f"{stream.codec_context.name} {stream.type}"
                raise OptionError(
                    f"{target} cannot hold stream {stream.index} of {film.name}, {kind}; give a target with the "
                    "film's own suffix, or .mkv"
                ) from error
        made.metadata.update(_tags(stream.metadata))
        made.disposition = stream.disposition
    chapters = list(_chapters(film))
    if chapters:
        container.set_chapters(chapters)
    return video, others


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in metadata.items()
        if name.lower() not in _OWN_TAGS and not name.lower().startswith(_OLD_TAGS)
    }


def _chapters(film: Film) -> Iterator[Any]:
    """Those that the part touches."""
    first, last = film.span
    for chapter in film.container.chapters():
        base = chapter["time_base"]
        start, end = (chapter[name] * base for name in ("start", "end"))
        if end <= first or (last is not None and start >= last):
            continue
        start, end = max(start, first), end if last is None else min(end, last)
        ticks = (round((time - film.shift) / base) for time in (start, end))
        yield {**chapter, "start": next(ticks), "end": next(ticks)}


def _copied(film: Film, others: dict[int, Any]) -> Iterator[Any]:
    for packet in film.packets():
        packet.stream = others[packet.stream_index]
        yield packet


def _timed(packets: Iterable[Coded], times: list[int], end: int, time_base: Fraction, stream: Any) -> Iterator[Any]:
    """Packets with the times when they are to be decoded, which follow from when they are shown in the whole film."""
    shown = sorted(times)
    until = dict(zip(shown, [*shown[1:], end]))
    # Each is decoded as late as all of them allow: as many frames early as the latest of them is out of order.
    place = {time: number for number, time in enumerate(shown)}
    delay = max(number - place[time] for number, time in enumerate(times))
    early = [shown[number] - shown[min(delay, len(shown) - 1)] + shown[0] for number in range(delay)]
    for number, coded in enumerate(packets):
        packet = av.Packet(coded.data)
        packet.pts, packet.dts = coded.time, early[number] if number < delay else shown[number - delay]
        packet.duration = until[coded.time] - coded.time
        packet.is_keyframe = coded.key
        packet.time_base, packet.stream = time_base, stream
        yield packet
