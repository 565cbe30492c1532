"""Crops: aligned, with the borders of the whole image, and a function of seed and number alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mindspore")

from srdiff.errors import ImageError
from srdiff.resize import bicubic
from srdiff_training.data.crops import Crops, Photos, batches
from srdiff_training.model.families import MINDEDITING

from .training_runs import make_photos, tiny_settings


def quiet(items, total):
    return items


def load(folder: Path, patch: int = 16, memory_gib: float = 1.0) -> Photos:
    return Photos([str(folder)], 4, patch, memory_gib, 1, quiet)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="module")
def photos(folder: Path) -> Photos:
    return load(folder)


def crops_of(photos: Photos, folder: Path, **changes) -> Crops:
    places = {name: changes.pop(name) for name in ("first_step", "rank", "devices") if name in changes}
    return Crops(photos, tiny_settings(folder, folder / "run", **changes), **places)


def untransformed(crops: Crops, number: int):
    """A sample's crop, and its arrays turned back."""
    rng = np.random.Generator(np.random.Philox(key=crops.settings.seed, counter=[0, 0, 0, number]))
    crop = crops.draw(rng)

    def back(array: np.ndarray) -> np.ndarray:
        if crop.transpose:
            array = array.swapaxes(1, 2)
        if crop.flip_columns:
            array = array[:, :, ::-1]
        if crop.flip_rows:
            array = array[:, ::-1]
        return array

    lr, lr_up, hr, t, noise = crops.sample(number)
    return crop, back(lr), back(lr_up), back(hr), t, noise


def test_a_sample_is_cut_from_one_place(photos: Photos, folder: Path) -> None:
    crops = crops_of(photos, folder)
    ways = set()
    for number in range(60):
        crop, lr, lr_up, hr, t, noise = untransformed(crops, number)
        ways.add((crop.flip_rows, crop.flip_columns, crop.transpose))
        whole_hr = np.asarray(Image.open(folder / f"photo_{crop.photo}.png")).astype(np.float64)
        height, width = whole_hr.shape[0] // 4, whole_hr.shape[1] // 4
        whole_hr = whole_hr[: height * 4, : width * 4]
        whole_lr = bicubic(whole_hr.astype(np.uint8), height, width)
        expected_hr = whole_hr[crop.top * 4 :, crop.left * 4 :][:16, :16]
        np.testing.assert_allclose(hr, expected_hr.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)
        expected_lr = whole_lr[crop.top :, crop.left :][:4, :4]
        np.testing.assert_allclose(lr, expected_lr.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)
        whole_up = MINDEDITING.recipe.lr_up.apply(whole_lr, height * 4, width * 4)
        np.testing.assert_array_equal(lr_up, whole_up[:, crop.top * 4 :, crop.left * 4 :][:, :16, :16])
        assert t.dtype == np.int32 and noise.shape == (3, 16, 16)
    assert len(ways) == 8


def test_places_steps_and_noise_are_spread_evenly(photos: Photos, folder: Path) -> None:
    crops = crops_of(photos, folder)
    drawn = [untransformed(crops, number) for number in range(2000)]
    areas = np.array([lr.shape[0] * lr.shape[1] for lr in photos.lr], float)
    found = np.bincount([entry[0].photo for entry in drawn], minlength=3) / len(drawn)
    np.testing.assert_allclose(found, areas / areas.sum(), atol=0.04)  # 3.5 standard deviations
    steps = np.array([entry[4] for entry in drawn])
    assert steps.min() == 0 and steps.max() == 99 and abs(steps.mean() - 49.5) < 2.5
    last = {(entry[0].top, entry[0].left) for entry in drawn if entry[0].photo == 1}
    assert last == {(top, left) for top in range(6) for left in range(5)}  # 9x8 holds 4x4 in so many places
    noise = np.stack([entry[5] for entry in drawn[:200]])
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
    assert len({entry[5].tobytes() for entry in drawn}) == len(drawn)


def test_batches_follow_from_seed_and_number(photos: Photos, folder: Path) -> None:
    """A run that goes on at step 3 sees what an uninterrupted one sees, and another seed gives other crops."""
    whole = [[a.asnumpy() for a in batch] for batch in batches(crops_of(photos, folder)).create_tuple_iterator()]
    assert len(whole) == 6 and [a.shape for a in whole[0]] == [
        (4, 3, 4, 4),
        (4, 3, 16, 16),
        (4, 3, 16, 16),
        (4,),
        (4, 3, 16, 16),
    ]
    workers = crops_of(photos, folder, first_step=3, workers=3)
    rest = [[a.asnumpy() for a in batch] for batch in batches(workers).create_tuple_iterator()]
    assert len(rest) == 3
    for expected, actual in zip(whole[3:], rest):
        for a, b in zip(expected, actual):
            np.testing.assert_array_equal(a, b)
    other = crops_of(photos, folder, seed=1).sample(0)
    assert not np.array_equal(other[4], whole[0][4][0])


def test_devices_share_a_batch(photos: Photos, folder: Path) -> None:
    """Together they see exactly the batch of a single device, each its own part."""
    alone = crops_of(photos, folder)
    shares = [crops_of(photos, folder, rank=rank, devices=2) for rank in (0, 1)]
    assert [len(share) for share in shares] == [12, 12]
    for step in range(6):
        together = [share[step * 2 + place] for share in shares for place in (0, 1)]
        for place, sample in enumerate(together):
            for a, b in zip(sample, alone[step * 4 + place]):
                np.testing.assert_array_equal(a, b)


def test_rrdb_needs_only_images(photos: Photos, folder: Path) -> None:
    sample = crops_of(photos, folder, stage="rrdb").sample(5)
    full = crops_of(photos, folder).sample(5)
    np.testing.assert_array_equal(sample[0], full[0])
    np.testing.assert_array_equal(sample[1], full[2])


def test_photos_beyond_the_memory_are_read_again(photos: Photos, folder: Path) -> None:
    little = load(folder, memory_gib=40 * 52 * 3 / 2**30)
    assert [kept is None for kept in little._hr] == [False, True, True]
    for number in range(20):
        for a, b in zip(crops_of(little, folder).sample(number), crops_of(photos, folder).sample(number)):
            np.testing.assert_array_equal(a, b)


def test_inputs_of_the_data_set_are_taken(tmp_path: Path) -> None:
    """X1 and X4, as srdiff-preprocess writes them; several folders count as one."""
    make_photos(tmp_path / "a" / "X1", ((16, 20),))
    lr = np.full((4, 5, 3), 77, np.uint8)
    (tmp_path / "a" / "X4").mkdir()
    Image.fromarray(lr).save(tmp_path / "a" / "X4" / "photo_0.png")
    make_photos(tmp_path / "b")
    photos = Photos([str(tmp_path / "a"), str(tmp_path / "b")], 4, 16, 1, 1, quiet)
    assert len(photos) == 4
    np.testing.assert_array_equal(photos.lr[0], lr)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds no images"):
        load(tmp_path)


def test_photos_smaller_than_a_crop(tmp_path: Path) -> None:
    make_photos(tmp_path, ((40, 40), (15, 60), (60, 12)))
    with pytest.raises(ImageError) as caught:
        load(tmp_path)
    assert "photo_1.png is 60x15 where a crop has 16 pixels a side and 1 more are too small" in str(caught.value)


def test_inputs_of_another_size(tmp_path: Path) -> None:
    make_photos(tmp_path / "X1", ((40, 40), (32, 32)))
    make_photos(tmp_path / "X4", ((10, 10), (8, 9)))
    with pytest.raises(ImageError, match=r"photo_1.png is 9x8 where 1/4 of .*photo_1.png is 8x8"):
        load(tmp_path)


def test_damaged_photo(tmp_path: Path) -> None:
    make_photos(tmp_path)
    (tmp_path / "photo_9.png").write_bytes((tmp_path / "photo_0.png").read_bytes()[:200])
    with pytest.raises(ImageError, match=r"photo_9.png"):
        load(tmp_path)
