"""Photos and random crops of them. Crop ``i`` depends on the seed and ``i`` alone, so that a run can go on anywhere."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Sequence

import mindspore.dataset as ds
import numpy as np
from PIL import Image
from tqdm import tqdm

from srdiff.errors import ImageError
from srdiff.pixels import to_signed

from ..measure.pairs import Pair, find_pairs
from ..run.settings import TrainSettings
from .degradation import degraded_window

Progress = Callable[[Iterable[Any], int], Iterable[Any]]


def _bar(items: Iterable[Any], total: int) -> Iterable[Any]:
    return tqdm(items, "photos", total, unit="photo", leave=False, dynamic_ncols=True)


class Photos:
    """Pairs of true photos and their inputs, uint8 [h, w, 3].

    Inputs are kept in memory; true photos up to ``memory_gib``, beyond that they are read at each use.

    Args:
        folders: see :func:`srdiff_training.measure.pairs.find_pairs` for their layouts.
        scale: side of the true photo over side of the input.
        patch: side of a true crop, which every photo must hold.
        memory_gib: for the true photos.
        workers: threads that decode and shrink.

    Raises:
        ImageError: a folder is empty, a photo cannot be read, does not fit its input, or is smaller than a crop.
        OptionError: a photo has no input.
    """

    def __init__(
        self, folders: Sequence[str], scale: int, patch: int, memory_gib: float, workers: int, progress: Progress = _bar
    ) -> None:
        self.scale = scale
        self.pairs: list[Pair] = []
        for folder in folders:
            self.pairs.extend(find_pairs(Path(folder), scale).pairs)
        _require_large(self.pairs, patch)
        self.lr: list[np.ndarray] = []
        self._hr: list[np.ndarray | None] = []
        room = memory_gib * 2**30
        with ThreadPoolExecutor(workers) as pool:
            for hr, lr in progress(_in_order(pool, self.pairs, scale, 2 * workers), len(self.pairs)):
                room -= hr.nbytes
                self.lr.append(lr)
                self._hr.append(hr if room >= 0 else None)

    def __len__(self) -> int:
        return len(self.pairs)

    def hr(self, number: int) -> np.ndarray:
        kept = self._hr[number]
        return self.pairs[number].load_hr(self.scale) if kept is None else kept


def _in_order(
    pool: ThreadPoolExecutor, pairs: list[Pair], scale: int, ahead: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Loaded pairs; at most ``ahead`` of them wait to be taken."""
    waiting: list[Any] = []
    for pair in pairs:
        waiting.append(pool.submit(pair.load, scale))
        if len(waiting) >= ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _require_large(pairs: list[Pair], patch: int) -> None:
    """Looks at the files' heads alone, before anything is decoded."""
    small = []
    for pair in pairs:
        try:
            with Image.open(str(pair.hr)) as image:
                size = image.size
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue  # decoding it will tell why
        if min(size) < patch:
            small.append((pair.hr, size))
    if small:
        file, (width, height) = small[0]
        others = f" and {len(small) - 1} more are too small" if len(small) > 1 else ""
        raise ImageError(
            f"{file} is {width}x{height} where a crop has {patch} pixels a side{others}; "
            "remove such photos, or choose a smaller patch"
        )


def columns(settings: TrainSettings) -> list[str]:
    """What a sample of a stage is made of."""
    if settings.stage == "rrdb":
        return ["lr", "hr"]
    names = ["lr", "lr_up", "hr", "t", "noise"]
    names += ["borders"] if settings.stage == "distil" else []
    return names + (["undamaged_lr", "undamaged_lr_up"] if settings.compares_undamaged else [])


@dataclass(frozen=True)
class Crop:
    """Where a crop lies, in LR pixels, and how it is turned."""

    photo: int
    top: int
    left: int
    flip_rows: bool
    flip_columns: bool
    transpose: bool

    def turned(self, pixels: np.ndarray) -> np.ndarray:
        """[3, h, w] with this crop's flips and transposition."""
        if self.flip_rows:
            pixels = pixels[:, ::-1]
        if self.flip_columns:
            pixels = pixels[:, :, ::-1]
        if self.transpose:
            pixels = pixels.swapaxes(1, 2)
        return np.ascontiguousarray(pixels)

    def turned_borders(self, borders: np.ndarray) -> np.ndarray:
        """The same for [2, h] marks of rows and of columns, each of the border before it."""
        flipped = [
            np.roll(marks[::-1], 1) if flip else marks
            for marks, flip in zip(borders, (self.flip_rows, self.flip_columns))
        ]
        return np.stack(flipped[::-1] if self.transpose else flipped)


class Crops:
    """Training samples by number; the source of a ``GeneratorDataset``.

    Args:
        photos: to crop from; each is taken as often as its area asks.
        settings: sizes, seed and stage.
        first_step: steps done before; sample 0 is the first of the next.
        rank, devices: this device takes its own share of every batch.
    """

    def __init__(
        self, photos: Photos, settings: TrainSettings, first_step: int = 0, rank: int = 0, devices: int = 1
    ) -> None:
        self.photos = photos
        self.settings = settings
        self.recipe = settings.network.record.recipe.lr_up
        self.timesteps = settings.drawn_timesteps[::-1]
        self.first_step = first_step
        self.rank = rank
        self.share = settings.batch // devices
        areas = np.array([lr.shape[0] * lr.shape[1] for lr in photos.lr], np.float64)
        self.area_before = np.cumsum(areas) / areas.sum()

    def __len__(self) -> int:
        return (self.settings.steps - self.first_step) * self.share

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
        step, place = divmod(int(number), self.share)
        return self.sample((self.first_step + step) * self.settings.batch + self.rank * self.share + place)

    def sample(self, number: int) -> tuple[np.ndarray, ...]:
        """Sample ``number`` of the whole run, as :func:`columns` has it; images are float32 [3, height, width] in
        [-1, 1], borders are those of :func:`.degradation.degraded_window`.
        """
        # Philox counts in the low words, so each sample has a stream of its own.
        rng = np.random.Generator(np.random.Philox(key=self.settings.seed, counter=[0, 0, 0, number]))
        crop = self.draw(rng)
        patch, scale = self.settings.patch, self.settings.network.scale
        side = patch // scale
        photo = self.photos.hr(crop.photo)
        hr = photo[crop.top * scale :, crop.left * scale :][:patch, :patch]
        source, top, left = self.photos.lr[crop.photo], crop.top, crop.left
        borders = np.zeros((2, side), np.float32)
        if self.settings.degradation == "photo":  # of a stream beside, so that the rest stays as it is without
            damage = np.random.Generator(np.random.Philox(key=self.settings.seed, counter=[0, 0, 1, number]))
            source, top, left, borders = degraded_window(photo, top, left, side, scale, damage)
        lr, lr_up = self._inputs(crop, source, top, left)
        hr = crop.turned(to_signed(hr))
        if self.settings.stage == "rrdb":
            return lr, hr
        t = np.array(self.timesteps[rng.integers(len(self.timesteps))], np.int32)
        sample = [lr, lr_up, hr, t, rng.standard_normal((3, patch, patch), np.float32)]
        if self.settings.stage == "distil":
            sample.append(crop.turned_borders(borders))
        if self.settings.compares_undamaged:
            sample += self._inputs(crop, self.photos.lr[crop.photo], crop.top, crop.left)
        return tuple(sample)

    def _inputs(self, crop: Crop, source: np.ndarray, top: int, left: int) -> tuple[np.ndarray, np.ndarray]:
        """lr and lr_up of a crop that lies there in an input."""
        scale = self.settings.network.scale
        side = self.settings.patch // scale
        lr = to_signed(source[top:, left:][:side, :side])
        return crop.turned(lr), crop.turned(self.recipe.crop(source, top, left, side, side, scale))

    def draw(self, rng: np.random.Generator) -> Crop:
        """A place, evenly over all photos' pixels, and one of the eight ways to turn a square."""
        side = self.settings.patch // self.settings.network.scale
        u = rng.random(3)
        photo = min(int(np.searchsorted(self.area_before, u[0], "right")), len(self.photos) - 1)
        height, width = self.photos.lr[photo].shape[:2]
        flips = rng.integers(2, size=3).astype(bool).tolist()
        return Crop(photo, int(u[1] * (height - side + 1)), int(u[2] * (width - side + 1)), *flips)


def batches(crops: Crops) -> ds.Dataset:
    """Batches in the order of their steps, made by threads ahead of time."""
    ds.config.set_prefetch_size(4)  # of batches, too: the usual 16 would hold gigabytes
    source = ds.GeneratorDataset(
        crops,
        columns(crops.settings),
        shuffle=False,
        num_parallel_workers=min(crops.settings.workers, os.cpu_count() or 1),  # more are refused
        python_multiprocessing=False,
    )
    return source.batch(crops.share, drop_remainder=True)
