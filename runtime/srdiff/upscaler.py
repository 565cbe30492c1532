"""The public entry: a bundle on an engine, ready to enlarge images."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from pickle import PicklingError
from typing import Any, Mapping, TypeVar

import numpy as np

from .bundle import Bundle, GraphSource
from .compiled_graphs import CompiledGraphs
from .condition_cache import ConditionCache, fit_into_memory
from .engines import Engine, Graph
from .forking import keep_in_children
from .graph_io import COND, ENCODER, FEATURES, HEAD, JOINED, LR, REST, STEP
from .machine import usable_cpus, usable_memory
from .manifest import CLAMP_LIMIT
from .model_names import bundle_folder
from .noise import NoiseSource, philox_noise
from .opening import open_for
from .photo.bleed import bled
from .photo.convert import photo_from, to_array, to_pil
from .photo.neutral import is_neutral, neutralise
from .photo.photo import Photo
from .pixels import to_signed
from .progress import Callback, Watch, watch_with
from .resize import bicubic
from .samplers import Plan, Sampler
from .sampling import Sampling
from .strips import in_strips
from .tiles import choose_tile, cut, fit_tile, fit_window, least_tile, tile_overlap, tile_within
from .whole import whole

# Where the engine's need of memory is not known.
DEFAULT_TILE = 256
# The least at which windows of small-v1 differ from the whole image by one level at most.
DEFAULT_OVERLAP = 32
# LR rows that are put together at a time, by all threads, and by each at least: strips share the rows at their edges.
BAND, LEAST_ROWS = 64, 8
# LR pixels below which another thread costs more time than it saves.
LEAST_STRIP = 1 << 13


U = TypeVar("U", bound="Upscaler")


class Upscaler:
    """Enlarges images with one model on one engine; made once, called often, from any thread.

    Attributes:
        bundle: the model.
        engine: where it runs; has ``name``, ``device`` and ``precision``.
        scale: side of the result over side of the input.
        threads: of the CPU, for what is not the engine's.
        tile, overlap: of windows, in LR pixels, see :func:`srdiff.tiles.fit_window`; graphs of static shapes have
            windows of their own instead.
    """

    def __init__(
        self, bundle: GraphSource, engine: Engine, tile: int | None = None, overlap: int | None = None
    ) -> None:
        self.bundle = bundle
        self.engine = engine
        self.scale = bundle.manifest.scale
        self.threads = engine.threads or usable_cpus()
        self._graphs = CompiledGraphs(bundle, engine)
        manifest = bundle.manifest
        self._multiple = manifest.lr_multiple
        self._minimum = -(-manifest.hr_minimum // manifest.scale)
        default = -(-DEFAULT_OVERLAP // self._multiple) * self._multiple
        own = default if manifest.overlap is None else manifest.overlap
        self.tile = self._default_tile(own) if tile is None else whole("tile", tile, 1)
        self.overlap = own if overlap is None else whole("overlap", overlap, 0)
        fit_tile(self._multiple, self.tile, self.overlap, self._multiple)
        self._time_bias = bundle.time_bias()
        self._reopen: tuple[Any, ...] | None = None
        keep_in_children(self._graphs, CompiledGraphs.inherited)

    def __reduce__(self) -> tuple[Any, ...]:
        """Into another process go the arguments alone; there the same engine is opened at the same precision."""
        if self._reopen is None:
            raise PicklingError("this Upscaler was made around an open engine; make it with Upscaler.from_bundle")
        return type(self).from_bundle, self._reopen

    @classmethod
    def from_bundle(
        cls: type[U],
        path: Path | str | None = None,
        device: str = "auto",
        engine: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        tile: int | None = None,
        overlap: int | None = None,
        engine_options: Mapping[str, str] | None = None,
    ) -> U:
        """Open a bundle.

        Args:
            path: a folder made by ``srdiff-export``, or the name of a model that comes with the package; None takes
                ``photo``, which makes its picture in one step.
            device, engine, precision, threads: see :func:`srdiff.opening.open_for`.
            tile, overlap: images of more pixels than a square of this side, in LR pixels, run in overlapping windows
                of at most as many; memory follows it. None takes the largest, 128 to 512, that needs an eighth of the
                memory this process may use. Graphs of static shapes (MindIR) run in windows of those instead. An
                overlap of None is the bundle's own, or 32, rounded up to what the model takes.
            engine_options: ``options`` of :func:`srdiff.engines.open_engine`.

        Raises:
            BundleError: the bundle is damaged or not one.
            DeviceError: the engine or device is not available here.
            OptionError: an argument is outside what it may be.
            PackageError: the engine that is named needs a package that is not installed.
        """
        bundle = Bundle(bundle_folder(path))
        opened = open_for(bundle, engine, device, precision, threads, engine_options)
        upscaler = cls(bundle, opened, tile, overlap)
        place = bundle.path.resolve()  # a worker may stand in another folder
        fixed = (opened.name, opened.precision, threads, upscaler.tile, upscaler.overlap)
        upscaler._reopen = (place, device, *fixed, engine_options)
        return upscaler

    def upscale(
        self,
        image: Any,
        seed: int = 0,
        steps: int | None = None,
        callback: Callback | None = None,
        noise: NoiseSource | None = None,
        sampler: str | None = None,
        eta: float | None = None,
        spacing: str | None = None,
        preset: str | None = None,
        fidelity: float | None = None,
    ) -> Any:
        """Enlarge one image.

        Args:
            image: a PIL image, or an array [h, w], [h, w, 2], [h, w, 3] or [h, w, 4] of uint8, uint16, or floats in
                [0, 1] (which come back as uint16). Colour is RGB; the second or fourth channel is alpha.
            seed: 0 … 2**64 - 1; the same seed gives the same result, another seed another one.
            steps: 1 … timesteps of the model.
            callback: called as ``callback(done, total)`` after each run of the step graph; may raise to stop.
            noise: replaces the seed's noise.
            sampler, eta, spacing, fidelity: see :class:`srdiff.samplers.Sampler`.
            preset: one of ``bundle.manifest.presets``; where neither this nor steps, sampler, eta or spacing is given,
                the bundle's own default.

        Returns:
            What came in, ``scale`` times as large: a PIL image with its profile, EXIF and dpi, or an array.

        Raises:
            BundleError: the model fails while it runs, or gives values that are not finite.
            ImageError: the image is of a kind that is not taken.
            OptionError: seed, steps or the sampler's settings are outside what they may be, or there are any but
                fidelity for a student.
        """
        chosen = self.bundle.manifest.sampler(preset, sampler, steps, eta, spacing, fidelity)
        result = self.enlarge(photo_from(image), seed, chosen, watch_with(callback), noise)
        return to_array(result) if isinstance(image, np.ndarray) else to_pil(result)

    def enlarge(
        self,
        photo: Photo,
        seed: int = 0,
        sampler: Sampler | None = None,
        watch: Watch | None = None,
        noise: NoiseSource | None = None,
    ) -> Photo:
        """Like :meth:`upscale`, for a photo as :func:`srdiff.photo.read.read_photo` gives it.

        Args:
            sampler: None takes the bundle's default preset.
            watch: called with a :class:`srdiff.progress.Progress` after each run of the step graph.
        """
        plan = self.bundle.manifest.plan(sampler or self.bundle.manifest.sampler())
        photo = bled(photo)
        noise = noise or philox_noise(seed, threads=self.threads)
        return self.compose(photo, self.sample(photo.pixels, plan, noise, watch))

    def compose(self, photo: Photo, x0: np.ndarray) -> Photo:
        """The result for a photo and its sampled x_0 [3, sh, sw]: clip(clip(x_0) / res_rescale + lr_up)."""
        manifest, pixels, scale = self.bundle.manifest, photo.pixels, self.scale
        height, width = pixels.shape[:2]
        white = np.iinfo(pixels.dtype).max
        result = np.empty((height * scale, width * scale, 3), pixels.dtype)

        def put_together(top: int, rows: int) -> None:
            band = slice(top * scale, (top + rows) * scale)
            hr = np.clip(x0[:, band], -CLAMP_LIMIT, CLAMP_LIMIT)
            hr /= np.float32(manifest.res_rescale)
            hr += manifest.lr_up.crop(pixels, top, 0, rows, width, scale)
            np.clip(hr, -1, 1, out=hr)
            hr += 1
            hr *= np.float32(white / 2)
            result[band] = np.rint(hr, out=hr).transpose(1, 2, 0)

        # In strips, so that a large image needs no further one of floats.
        threads = min(self.threads, BAND // LEAST_ROWS)
        in_strips(put_together, height, max(BAND // threads, -(-LEAST_STRIP // width)), threads)
        if is_neutral(photo):
            neutralise(result)
        alpha = photo.alpha if photo.alpha is None else bicubic(photo.alpha, height * scale, width * scale)
        return photo.enlarged(result, alpha)

    def sample(
        self,
        pixels: np.ndarray,
        plan: Plan,
        noise: NoiseSource,
        watch: Watch | None = None,
    ) -> np.ndarray:
        """Run the sampler's plan: integer pixels [h, w, 3] -> x_0 [3, scale * h, scale * w] float32, unclamped."""
        rows, columns = (side * self.scale for side in pixels.shape[:2])
        lr = to_signed(pixels)
        margin = self.bundle.manifest.margin
        height, width = (self._padded(size + 2 * margin) for size in lr.shape[1:])
        tile, overlap = self._fit(height, width)
        height, width = max(height, tile[0]), max(width, tile[1])
        padded_lr_up = None
        if self.bundle.manifest.up_input:
            lr_up = self.bundle.manifest.lr_up.apply(pixels, rows, columns)
            padded_lr_up = _pad(lr_up, margin * self.scale, height * self.scale, width * self.scale)
        windows = cut(height, width, tile, overlap, self._multiple, self.scale)
        padded = _pad(lr, margin, height, width)
        sampling = partial(
            Sampling,
            plan=plan,
            time_bias=self._time_bias,
            windows=windows,
            noise=noise,
            scale=self.scale,
            lr_up=padded_lr_up,
            watch=watch,
        )
        if len(plan) == 1 and self.engine.joins:  # cond is needed once, so it need not leave the graph
            step = self.graph(JOINED, *tile)
            x0 = sampling(step, conditions=lambda window: {LR: np.ascontiguousarray(window.lr(padded))[None]}).run()
        else:
            once, each, name = self._pair(tile, len(windows))
            with ThreadPoolExecutor(1) as beside:
                compiling = beside.submit(self.graph, each, *tile)
                kept = ConditionCache(self.graph(once, *tile), padded, len(windows), self.engine.precision)
                with kept:
                    kept(windows[0])  # while the step graph compiles
                    x0 = sampling(compiling.result(), conditions=lambda window: {name: kept(window)}).run()
        first = margin * self.scale
        return x0[:, first : first + rows, first : first + columns]

    def _pair(self, tile: tuple[int, int], windows: int) -> tuple[str, str, str]:
        """What runs once per window, what runs in every step, and what the one gives the other.

        Where cond does not fit into memory, features are kept, a fraction as large; cond is made of them in every step,
        which takes 5 % longer for it (measured, float32).
        """
        cond = int(np.prod(self.bundle.manifest.input_shapes(STEP, *tile)[COND])) * np.float32().nbytes
        if not self.engine.parts or windows == 1 or fit_into_memory(windows * cond):
            return ENCODER, STEP, COND
        return HEAD, REST, FEATURES

    def _default_tile(self, overlap: int) -> int:
        """The largest that fits into memory, and one at least that such an overlap fits into."""
        side = DEFAULT_TILE
        if self.engine.workspace is not None:
            bytes_per_pixel = self.engine.workspace * self.bundle.manifest.cond_channels
            side = tile_within(usable_memory(), bytes_per_pixel, self.scale)
        return max(side // self._multiple * self._multiple, least_tile(overlap, self._multiple))

    def _padded(self, size: int) -> int:
        return max(self._minimum, -(-size // self._multiple) * self._multiple)

    def _fit(self, height: int, width: int) -> tuple[tuple[int, int], int]:
        """The window for an image of this size, and the overlap; a static one may be larger than the image."""
        if self._graphs.static:
            tile = choose_tile(height, width, self._graphs.static, self.overlap)
            return tile, tile_overlap(tile, self.overlap, self._multiple)
        return fit_window(height, width, self.tile, self.overlap, self._multiple), self.overlap

    def graph(self, name: str, height: int, width: int) -> Graph:
        """One of the graphs that ``graph_io`` names, for windows of height x width LR pixels, compiled once."""
        return self._graphs.get(name, height, width)


def _pad(image: np.ndarray, before: int, height: int, width: int) -> np.ndarray:
    """An array [c, h, w] with mirrored rows and columns around it: ``before`` in front, the rest behind."""
    behind = [size - before - side for size, side in zip((height, width), image.shape[1:])]
    return np.pad(image, ((0, 0), (before, behind[0]), (before, behind[1])), mode="symmetric")
