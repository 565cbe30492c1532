"""``srdiff-video``: enlarge a film from a shell."""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable

import click
from tqdm import tqdm

from ..bundle import Bundle
from ..engines.device_names import each_device
from ..errors import OptionError, PackageError
from ..jobs.identity import same_file
from ..jobs.sources import STREAM
from ..jobs.targets import finished
from ..jobs.work import JobSettings
from ..looking import is_there
from ..manifest import WISHES
from ..model_names import bundle_folder
from ..upscaler import Upscaler
from ..video.animation import FORMATS as ANIMATIONS
from ..video.animation import enlarge_animation
from ..video.frames import Made, Tell
from .command import Command
from .devices import engine_option
from .model_options import model_options
from .paths import FilePath
from .saying import say, visible

PYTHON = (3, 11)
Enlarge = Callable[[Upscaler, Tell], Made]


class Moment(click.ParamType):
    """Seconds, or ``[H:]M:S``, as a fraction."""

    name = "[H:]M:S"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        match = re.fullmatch(r"(?:(?:(\d{1,4}):)?(\d{1,6}):)?(\d{1,9}(?:\.\d{1,9})?)", value)
        if match is None:
            self.fail(f"{value!r} is no time; write seconds like 12.5, or 1:02:03", param, ctx)
        hours, minutes, seconds = match.groups(default="0")
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)


@click.command(cls=Command)
@click.argument("source", metavar="INPUT", type=FilePath())
@click.argument("target", metavar="OUTPUT", type=FilePath())
@model_options
@click.option("--start", type=Moment(), help="Leave out what begins before.  [default: the film's beginning]")
@click.option("--end", type=Moment(), help="Leave out what begins then or later.  [default: the film's end]")
@click.option(
    "--codec",
    help="An encoder: libx264, libx265, libvpx-vp9, libsvtav1, ffv1, ….  [default: libx264; libx265 for more than 8 "
    "bits, libvpx-vp9 in webm, ffv1 or prores_ks with transparency]",
)
@click.option(
    "--crf",
    type=click.FloatRange(0, 63),
    help="Constant rate factor; less is better and larger.  [default: 18 for libx264, 20 for libx265, else 24]",
)
@click.option("--overwrite", is_flag=True, help="Replace a result that exists, or one begun with other settings.")
def main(source: Path, target: Path, **options: Any) -> None:
    """Enlarge films four times with SRDiff.

    OUTPUT is an .mp4, .m4v, .mov, .mkv or .webm. Sound, subtitles, chapters, rotation, colours and times are INPUT's.
    A run that was stopped goes on when the same command is typed again. An animated .gif, .webp or .png becomes one.
    OUTPUT - is YUV4MPEG2 on standard output, of a film or of the same from INPUT -.
    """
    piped = str(target) == STREAM
    if str(source) == STREAM and not piped:
        raise OptionError("what comes from standard input goes to standard output; give - as OUTPUT, too")
    if not piped and same_file(source, target):
        raise OptionError(f"{target} is the input; choose another output")

    def note(line: str) -> None:
        if not options["quiet"]:
            say(line)

    if not piped and is_there(source) and finished(target) and not options["overwrite"]:
        note(f"{target} exists; skipped (--overwrite replaces it)")
        return
    if len(each_device(options["device"])) > 1:
        raise OptionError(f"device is {options['device']} and a film is made on one; name one of them")
    model = Bundle(bundle_folder(options["model"]))
    settings = JobSettings(
        options["seed"],
        model.manifest.sampler(*(options[name] for name in WISHES)),
        scale=options["scale"],
        size=options["size"],
        max_pixels=options["max_pixels"],
        overwrite=options["overwrite"],
    )
    made, engine = _make(source, target, model, settings, options)
    if made.kept:
        note(f"{made.kept} of {made.frames} frames were there from an earlier run")
    if made.interlaced:
        name = "standard input" if str(source) == STREAM else source
        note(f"{name} is interlaced; its lines are two moments, so deinterlace it first for better frames")
    width, height = made.size
    sampling = model.manifest.sampling_label(settings.sampler or model.manifest.sampler())
    note(
        f"{'standard output' if piped else target}: {width}x{height}, {made.frames} frames, {made.coding}, {engine}, "
        f"{sampling}, seed {settings.seed}, {made.seconds:.1f} s"
    )
    if made.unkept:
        note(f"not kept: {', '.join(made.unkept)}")


def _make(
    source: Path, target: Path, model: Bundle, settings: JobSettings, options: dict[str, Any]
) -> tuple[Made, str]:
    """The film, and what made it; a bar of its frames meanwhile."""
    if str(target) != STREAM and source.suffix.lower() in ANIMATIONS:
        enlarge = _animation(source, target, settings, options)
    else:
        enlarge = _film(source, target, settings, options)
    upscaler = Upscaler.from_bundle(
        model.path.resolve(),
        options["device"],
        options["engine"],
        options["precision"],
        options["threads"],
        options["tile"],
        options["overlap"],
        dict(engine_option(text) for text in options["engine_options"]),
    )
    with tqdm(desc=visible(source.name), unit="frame", disable=True if options["quiet"] else None, leave=False) as bar:

        def tell(frames: float, kept: int, total: int | None) -> None:
            if bar.disable:
                return
            bar.total = total
            if bar.initial != kept:  # what was there already says nothing about the time left
                bar.initial = bar.n = kept
            bar.update(frames - bar.n)

        made = enlarge(upscaler, tell)
    engine = upscaler.engine
    return made, f"{engine.name} {engine.device} {engine.precision}"


def _animation(source: Path, target: Path, settings: JobSettings, options: dict[str, Any]) -> Enlarge:
    given = [name for name in ("start", "end", "codec", "crf") if options[name] is not None]
    if given:
        raise OptionError(f"{given[0]} is of films and {source} is an animation; leave it out")
    return lambda upscaler, tell: enlarge_animation(source, target, upscaler, settings, tell)


def _film(source: Path, target: Path, settings: JobSettings, options: dict[str, Any]) -> Enlarge:
    if sys.version_info < PYTHON:
        raise PackageError("films need Python 3.11 or newer; run srdiff-video with one")
    from ..video.coding import Wishes
    from ..video.enlarging import PIECE, enlarge_film
    from ..video.film import Part
    from ..video.pieces import TakenError, folder_of
    from ..video.pipe import enlarge_to_pipe

    if target.suffix.lower() in ANIMATIONS:
        raise OptionError(f"{source} is no animation and {target} would be one; give a target like out.mp4")
    part = Part(options["start"], options["end"])
    if str(target) == STREAM:
        if options["codec"] is not None or options["crf"] is not None:
            raise OptionError("codec and crf are of files, and standard output gets whole frames; leave them out")
        taken = None if str(source) == STREAM else source
        return lambda upscaler, tell: enlarge_to_pipe(taken, upscaler, settings, part, tell)
    wishes = Wishes(options["codec"], options["crf"])

    def enlarge(upscaler: Upscaler, tell: Tell) -> Made:
        done = 0.0

        def note(frames: float, kept: int, total: int | None) -> None:
            nonlocal done
            done = frames
            tell(frames, kept, total)

        try:
            return enlarge_film(source, target, upscaler, settings, part, wishes, note)
        except TakenError:
            raise
        except BaseException:
            if done >= PIECE and folder_of(target).is_dir():
                there = int(done) // PIECE * PIECE
                say(f"{there} frames are kept; the same command goes on from there")
            raise

    return enlarge


if __name__ == "__main__":
    main()
