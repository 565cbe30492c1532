"""Progress tells how far a run is; the preview made of it ends as the result does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from srdiff import Upscaler
from srdiff.bundle import Bundle
from srdiff.commands.telling import Teller, roughly
from srdiff.doctor.golden import GOLDEN
from srdiff.jobs.sources import Source
from srdiff.jobs.targets import Job
from srdiff.jobs.work import JobSettings
from srdiff.photo.photo import Photo
from srdiff.progress import Pace, Preview, Progress
from srdiff.samplers import Sampler
from srdiff.tiles import Window

from ..models import SMALL

LONG = "a.png: 50.0 megapixels in 300 steps, about 12 min\n"
SAMPLER = Sampler("ddim", 3, 1.0)


@pytest.mark.parametrize(("tile", "sampler"), [(128, SAMPLER), (72, SAMPLER), (72, Sampler("dpm++", 3, 1.0))])
def test_a_preview_ends_as_the_shrunk_result(tile: int, sampler: Sampler) -> None:
    photo = Photo(np.ascontiguousarray(data.astronaut()[:304:4, :400:4]))
    upscaler = Upscaler.from_bundle(SMALL, engine="onnxruntime", device="cpu", tile=tile)
    preview = Preview(photo.pixels, upscaler.bundle.manifest, 100)  # one pixel for each of the input
    told = []

    def watch(progress):
        told.append((progress.done, progress.total))
        assert progress.seconds > 0 and progress.pixels >= 16 * photo.pixels[..., 0].size
        preview.take(progress)

    result = upscaler.enlarge(photo, 0, sampler, watch).pixels
    windows = 1 if tile == 128 else 3
    assert told == [(done, 3 * windows) for done in range(1, 3 * windows + 1)]
    shown = preview.picture().astype(int)
    height, width = photo.pixels.shape[:2]
    lr_up = upscaler.bundle.manifest.lr_up.apply(photo.pixels, 4 * height, 4 * width)
    added = result[::4, ::4] - (lr_up.transpose(1, 2, 0)[::4, ::4] + 1) * 127.5
    expected = np.clip(photo.pixels + added, 0, 255)
    # Two roundings, and near seams the last window instead of the blend.
    assert np.abs(shown - expected).mean() < 0.5
    assert np.abs(photo.pixels - expected).mean() > 1, "the model adds too little here to tell"


def progress(done: int, total: int, seconds: float) -> Progress:
    window = Window(0, 0, 8, 8, np.ones(32, np.float32), np.ones(32, np.float32))
    return Progress(done, total, window, lambda: np.zeros((3, 32, 32), np.float32), seconds, 50_000_000)


def test_what_is_left_follows_the_time_since_the_first_step():
    times = iter([100.0, 103.0, 104.0])  # before 100, graphs were compiled
    pace = Pace(lambda: next(times))
    assert pace.left(progress(1, 11, 2.0)) == 20.0
    assert pace.left(progress(2, 11, 2.0)) == 27.0
    assert pace.left(progress(3, 11, 2.0)) == 16.0


@pytest.mark.parametrize(("seconds", "told"), [(0.1, ""), (2.5, LONG)])
def test_a_long_job_is_told_its_time_when_it_begins(seconds, told, capsys):
    manifest = Bundle(GOLDEN / "golden.srdiff").manifest
    job = Job(Source(Path("a.png")), Path("a_x4.png"), "png")
    with Teller(JobSettings(), manifest, 1, quiet=False, as_json=False).watching(job) as show:
        show(progress(1, 300, seconds))
        show(progress(2, 300, seconds))
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(("seconds", "said"), [(61, "61 s"), (119.6, "120 s"), (754, "13 min"), (3 * 3600, "3 h")])
def test_a_time_is_told_in_the_unit_that_suits_it(seconds, said):
    assert roughly(seconds) == said
