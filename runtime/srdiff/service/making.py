"""What a worker does with a job: the same calls that ``srdiff-run`` makes, and the result encoded."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Callable

import numpy
import PIL

from .. import __version__
from ..jobs.work import result_size, shrunk
from ..photo.convert import eight_bit, to_pil
from ..photo.read import read_photo
from ..photo.unkept import unkept
from ..photo.write import check_storable, write_photo
from ..progress import Preview, Progress
from ..upscaler import Upscaler
from .fields import MEDIA_TYPES, Wish
from .job import Job, Order
from .metrics import Metrics
from .results import Result
from .room import Room
from .uploads import Upload

_PACKAGES = {"openvino": "openvino", "onnxruntime": "onnxruntime", "mindspore_lite": "mindspore-lite"}


def read_order(upload: Upload, wish: Wish, upscaler: Upscaler, room_for: Callable[[int], Room]) -> Order:
    """Read the photo and see that its result can be made and stored.

    Args:
        room_for: what bounds a photo that takes so many steps of the model.

    Raises:
        ImageError, OptionError, OutputError: it cannot.
        Problem: it is too large.
    """
    settings, manifest = wish.settings, upscaler.bundle.manifest
    photo = read_photo(upload.stream(), settings.max_pixels)
    frames = photo.frames
    if settings.crop is not None:
        photo = settings.crop.apply(photo)
    sampler = settings.sampler or manifest.sampler()
    room = room_for(len(manifest.plan(sampler)) * settings.wanted.samples)
    sent, photo = photo, room.fit(photo, wish.shrink)
    size = result_size(upscaler.scale, photo.pixels.shape, settings)
    check_storable(photo, wish.format, upscaler.scale, size)
    facts = {
        "SRDiff-Model": wish.model,
        "SRDiff-Seed": str(settings.seed),
        "SRDiff-Bundle-SHA256": upscaler.bundle.digest,
        "SRDiff-Engine": upscaler.engine.name,
        "SRDiff-Device": upscaler.engine.device,
        "SRDiff-Precision": upscaler.engine.precision,
        "SRDiff-Sampler": manifest.sampling_label(sampler),
    }
    lost = unkept(photo, wish.format)
    if lost:
        facts["SRDiff-Not-Kept"] = "; ".join(lost)
    if frames > 1:
        facts["SRDiff-Frame"] = f"1 of {frames}"
    if photo is not sent:
        facts["SRDiff-Shrunk"] = "{1}x{0}".format(*photo.pixels.shape)
    digest = _digest(upload.content, wish, upscaler, facts.get("SRDiff-Shrunk"))
    return Order(photo, wish, digest, room.steps, room.seconds(photo), facts)


def make(upscaler: Upscaler, job: Job, order: Order, metrics: Metrics, go_on: Callable[[], None]) -> Result:
    """Enlarge a photo and encode what comes of it.

    Args:
        go_on: called after each run of the step graph; raises to stop.
    """
    started = before = time.perf_counter()
    wish, photo = order.wish, order.photo
    step_seconds = metrics.step_seconds.labels(wish.model)

    def watch(progress: Progress) -> None:
        nonlocal before
        now = time.perf_counter()
        step_seconds.observe(now - before)
        go_on()
        job.tell(progress, lambda: Preview(photo.pixels, upscaler.bundle.manifest))
        before = time.perf_counter()

    size = result_size(upscaler.scale, photo.pixels.shape, wish.settings)
    parts: dict[str, bytes] = {}
    made = wish.settings.wanted.make(upscaler, photo, wish.settings.seed, wish.settings.sampler, watch)
    for name, result in zip(wish.part_names, made):
        go_on()
        shown = result if size is None else shrunk(result, *size)
        encoded = io.BytesIO()
        write_photo(shown, encoded, wish.format, wish.settings.quality)
        parts[name] = encoded.getvalue()
    height, width = shown.pixels.shape[:2]
    metrics.pixels.labels(wish.model).inc(height * width * len(parts))
    facts = {
        **order.facts,
        "SRDiff-Size": f"{width}x{height}",
        "SRDiff-Seconds": f"{time.perf_counter() - started:.3f}",
        "SRDiff-Digest": order.digest,
    }
    return Result(order.digest, MEDIA_TYPES[wish.format], parts, (width, height), facts)


def decoded(upload: Upload, max_pixels: int) -> bytes:
    """A photo as PNG, of 8 bits and with its colour profile. Raises ImageError for none."""
    encoded = io.BytesIO()
    to_pil(eight_bit(read_photo(upload.stream(), max_pixels))).save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


def _digest(content: bytes, wish: Wish, upscaler: Upscaler, shrunk: str | None) -> str:
    """SHA-256 over all that the result's bytes depend on."""
    engine = upscaler.engine
    said = {
        "input": hashlib.sha256(content).hexdigest(),
        "bundle": upscaler.bundle.digest,
        "settings": wish.canonical(),
        "shrunk": shrunk,
        "engine": [engine.name, engine.device, engine.precision, _version(_PACKAGES.get(engine.name, engine.name))],
        "versions": [__version__, numpy.__version__, PIL.__version__, platform.machine()],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
