"""Progress tells how far a run is; the preview made of it ends as the result does."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from srdiff import Upscaler
from srdiff.photo.photo import Photo
from srdiff.progress import Preview
from srdiff.samplers import Sampler

SAMPLER = Sampler("ddim", 3, 1.0)


@pytest.mark.parametrize(("tile", "sampler"), [(128, SAMPLER), (72, SAMPLER), (72, Sampler("dpm++", 3, 1.0))])
def test_a_preview_ends_as_the_shrunk_result(tile: int, sampler: Sampler) -> None:
    photo = Photo(np.ascontiguousarray(data.astronaut()[:304:4, :400:4]))
    upscaler = Upscaler.from_bundle(engine="onnxruntime", device="cpu", tile=tile)
    preview = Preview(photo.pixels, upscaler.bundle.manifest, 100)  # one pixel for each of the input
    told = []

    def watch(progress):
        told.append((progress.done, progress.total))
        preview.take(progress)

    result = upscaler.enlarge(photo, 0, sampler, watch).pixels
    windows = 1 if tile == 128 else 4
    assert told == [(done, 3 * windows) for done in range(1, 3 * windows + 1)]
    shown = preview.picture().astype(int)
    height, width = photo.pixels.shape[:2]
    lr_up = upscaler.bundle.manifest.lr_up.apply(photo.pixels, 4 * height, 4 * width)
    added = result[::4, ::4] - (lr_up.transpose(1, 2, 0)[::4, ::4] + 1) * 127.5
    expected = np.clip(photo.pixels + added, 0, 255)
    # Two roundings, and near seams the last window instead of the blend.
    assert np.abs(shown - expected).mean() < 0.5
    assert np.abs(photo.pixels - expected).mean() > 1, "the model adds too little here to tell"
