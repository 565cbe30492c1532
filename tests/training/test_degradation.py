"""Damaged inputs: in place, as strong as said, and a function of the seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mindspore")

from srdiff.resize import bicubic
from srdiff_training.data import degradation
from srdiff_training.data.crops import Crop, Crops, Photos
from srdiff_training.data.degradation import add_noise, degrade, degraded_window, gaussian_blur, jpeg

from .training_runs import make_photos, tiny_settings


def rng_of(*key: int) -> np.random.Generator:
    return np.random.default_rng(list(key))


def photo(height: int = 96, width: int = 128) -> np.ndarray:
    small = rng_of(7).integers(0, 256, (12, 16, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.BICUBIC))


def test_a_seed_gives_one_input_and_seeds_differ() -> None:
    hr = photo()
    results = [degrade(hr, 4, rng_of(seed))[0] for seed in range(30)]
    assert all(result.shape == (24, 32, 3) and result.dtype == np.uint8 for result in results)
    assert all(np.array_equal(degrade(hr, 4, rng_of(seed))[0], result) for seed, result in enumerate(results))
    assert len({result.tobytes() for result in results}) > 20
    clean = bicubic(hr, 24, 32)
    errors = [np.sqrt(np.mean((result.astype(float) - clean) ** 2)) for result in results]
    # Of 30 seeds: some untouched, some hardly, some strongly.
    assert min(errors) == 0 and sum(error > 6 for error in errors) >= 5 and max(errors) < 60


def test_the_share_of_clean_inputs() -> None:
    hr = photo(32, 32)
    clean = bicubic(hr, 8, 8)
    found = np.mean([np.array_equal(degrade(hr, 4, rng_of(seed))[0], clean) for seed in range(600)])
    assert found == pytest.approx(degradation.CLEAN_SHARE, abs=0.04)  # three standard deviations


def test_nothing_moves() -> None:
    """The centre of gravity of a blob stays within a tenth of an input pixel, on the mean of many inputs."""
    y, x = np.mgrid[:128, :128]
    centre = 61.3, 70.8
    blob = 220 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * 8**2))
    hr = np.repeat(np.rint(blob).astype(np.uint8)[..., None], 3, axis=2)
    found = []
    for seed in range(60):
        lr = degrade(hr, 4, rng_of(seed))[0].astype(float).mean(axis=2)
        weight = np.maximum(lr - 60, 0)  # above noise
        rows, columns = np.mgrid[:32, :32]
        found.append([(weight * axis).sum() / weight.sum() for axis in (rows, columns)])
    expected = [(side + 0.5) / 4 - 0.5 for side in centre]
    np.testing.assert_allclose(np.mean(found, axis=0), expected, atol=0.1)


def test_blur_has_the_standard_deviation_that_it_says() -> None:
    impulse = np.zeros((65, 65, 1))
    impulse[32, 32] = 1
    rows, columns = np.mgrid[-32:33, -32:33]
    spread = gaussian_blur(impulse, (3.0, 1.5), 0.0)[..., 0]
    assert spread.sum() == pytest.approx(1)
    assert (spread * columns**2).sum() == pytest.approx(9, rel=1e-3)
    assert (spread * rows**2).sum() == pytest.approx(2.25, rel=1e-3)
    turned = gaussian_blur(impulse, (3.0, 1.5), np.pi / 4)[..., 0]
    assert (turned * rows * columns).sum() == pytest.approx((9 - 2.25) / 2, rel=1e-3)


def test_noise_by_number() -> None:
    flat = np.full((200, 200, 3), 128.0)
    grey = coloured = poisson = 0
    for seed in range(40):
        noise = add_noise(flat, rng_of(seed)) - flat
        assert abs(noise.mean()) < 0.5
        same = np.allclose(noise[..., 0], noise[..., 1])
        grey, coloured = grey + same, coloured + (not same)
        steps = np.diff(np.unique(np.round(noise[..., 0], 6)))
        poisson += len(steps) < 2000 and np.allclose(steps / steps.min(), np.round(steps / steps.min()), atol=1e-3)
        assert 0.4 < noise.std() < 21  # Gaussian up to 20; 100 photons at half of white: 18
    assert grey >= 8 and coloured >= 12 and 10 <= poisson <= 30


def test_jpeg_leaves_its_blocks() -> None:
    ramp = np.repeat(np.tile(np.arange(128) * 2.0, (64, 1))[..., None], 3, axis=2)
    busy = ramp + 40 * rng_of(1).standard_normal(ramp.shape)
    steps = []
    for seed in range(20):
        columns = np.abs(np.diff(jpeg(busy, rng_of(seed)).mean(axis=2), axis=1)).mean(axis=0)
        at_blocks = np.arange(127) % 8 == 7
        steps.append(columns[at_blocks].mean() / columns[~at_blocks].mean())
    assert np.mean(steps) > 1.05


def test_a_window_is_cut_from_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without damage, a window is the whole photo's input at that place, mirrored beyond the edge."""
    monkeypatch.setattr(degradation, "CLEAN_SHARE", 1.0)
    hr = photo()
    whole = bicubic(hr, 24, 32)
    firsts = set()
    for seed in range(8):
        window, row, column, borders = degraded_window(hr, 6, 9, 8, 4, rng_of(seed))
        assert not borders.any()
        firsts.add((row % 8, column % 8))
        np.testing.assert_array_equal(window[row : row + 8, column : column + 8], whole[6:14, 9:17])
    assert len(firsts) > 4  # blocks of the codec lie anywhere
    corner, row, column, _ = degraded_window(hr, 16, 24, 8, 4, rng_of(0))
    np.testing.assert_array_equal(corner[row : row + 6, column : column + 6], whole[16:22, 24:30])


def test_borders_are_where_blocks_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the codec's coarsest steps are."""
    monkeypatch.setattr(degradation, "CLEAN_SHARE", 0.0)
    monkeypatch.setattr(degradation, "LAST_JPEG_CHANCE", 1.0)
    for chance in ("BLUR_CHANCE", "RESIZE_CHANCE", "NOISE_CHANCE", "JPEG_CHANCE"):
        monkeypatch.setattr(degradation, chance, 0.0)
    monkeypatch.setattr(degradation, "QUALITY", (5, 6))
    hr = photo()
    steps: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(8):
        window, row, column, borders = degraded_window(hr, 6, 9, 12, 4, rng_of(seed))
        crop = window[row : row + 12, column : column + 12].astype(float).mean(axis=2)
        assert borders.shape == (2, 12) and borders.dtype == np.float32
        assert all(1 <= marks.sum() <= 2 for marks in borders)
        for image, marks in zip((crop, crop.T), borders):
            for place in range(1, 12):
                steps[bool(marks[place])].append(np.abs(image[place] - image[place - 1]).mean())
    assert np.mean(steps[True]) > 2 * np.mean(steps[False])


@pytest.mark.parametrize("turn", list(itertools.product((False, True), repeat=3)))
def test_borders_turn_with_the_crop(turn: tuple[bool, bool, bool]) -> None:
    """Blocks of one value each: after turning, too, the value changes at the marks."""
    starts = np.zeros((2, 16), np.float32)
    starts[0, [3, 11]] = starts[1, [0, 8]] = 1
    rows, columns = (np.cumsum(marks) for marks in starts)
    crop = Crop(0, 0, 0, *turn)
    turned = crop.turned((10 * rows[:, None] + columns)[None].repeat(3, axis=0))[0]
    found = crop.turned_borders(starts)
    for image, marks in zip((turned, turned.T), found):
        np.testing.assert_array_equal(image[1:, 0] != image[:-1, 0], marks[1:] > 0)


def test_crops_of_a_stage(tmp_path) -> None:
    """The same places, true pixels and noise as without; other inputs, and lr_up made of them."""
    folder = make_photos(tmp_path / "photos")
    photos = Photos([str(folder)], 4, 16, 1.0, 1, lambda items, total: items)
    plain = Crops(photos, tiny_settings(folder, tmp_path))
    damaged = Crops(photos, tiny_settings(folder, tmp_path, degradation="photo"))
    different = 0
    for number in range(12):
        lr, lr_up, *rest = plain.sample(number)
        bad, bad_up, *same = damaged.sample(number)
        again = damaged.sample(number)
        assert all(np.array_equal(a, b) for a, b in zip(rest, same))
        assert np.array_equal(bad, again[0]) and np.array_equal(bad_up, again[1])
        assert bad.shape == lr.shape and bad_up.shape == lr_up.shape and bad.dtype == np.float32
        different += not np.array_equal(bad, lr)
        # Enlarging keeps the mean of each patch, borders aside.
        assert np.abs(bad_up.mean() - bad.mean()) < 0.12
    assert different >= 9
    rrdb = Crops(photos, tiny_settings(folder, tmp_path, "rrdb", degradation="photo")).sample(3)
    assert np.array_equal(rrdb[0], damaged.sample(3)[0]) and len(rrdb) == 2
