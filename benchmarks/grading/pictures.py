"""Small pictures for the page: whole results as JPEG, crops without loss, all as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from grading.methods import Bicubic, Method, Model
from grading.metrics import METRICS
from grading.photos import Subject
from grading.results import MethodResults, Store
from srdiff.diversity import Moments, uncertainty_map

THUMBNAIL = 480  # longest side; more would make a page of Set14 too heavy for a phone
CROP = 64  # HR pixels
GAIN = 4  # of the difference, so that a few levels can be seen


@dataclass(frozen=True)
class Picture:
    """One figure: data URI, caption, measures as (title, text)."""

    uri: str
    caption: str
    numbers: list[str]


@dataclass(frozen=True)
class Gallery:
    """The figures of one image: the whole ones, and the same detail of each method."""

    name: str
    whole: list[Picture]
    crops: list[Picture]


def gallery(data: str, pair: Subject, rows: list[MethodResults], store: Store, scale: int) -> Gallery:
    """The figures of one image, of seed 0: bicubic and the first model whole, a crop of every method."""
    hr, lr = pair.load(scale)
    results = {row.method.label: store.load(data, row.method, 0, pair.name) for row in rows}
    nearest = lr.repeat(scale, 0).repeat(scale, 1)
    shown = _headline(rows)
    model = shown[-1].method
    whole = [_whole(nearest, f"input {lr.shape[1]}x{lr.shape[0]}", [])]
    whole += [_whole(results[row.method.label], row.method.label, _numbers(row, pair.name)) for row in shown]
    if hr is not None:
        whole += _truth(hr, results[model.label])
    if model.seeds > 1:
        spread = _uncertainty(data, pair.name, model, store)
        whole.append(_whole(spread, f"spread of {model.seeds} seeds, white: 8 levels", []))
    window = most_detailed(nearest if hr is None else hr)
    crops = [_crop(nearest[window], "input", [])]
    crops += [_crop(results[row.method.label][window], row.method.label, _numbers(row, pair.name)) for row in rows]
    if hr is not None:
        crops.append(_crop(hr[window], "truth", []))
    return Gallery(pair.name, whole, crops)


def _truth(hr: np.ndarray, result: np.ndarray) -> list[Picture]:
    difference = np.abs(result.astype(np.int16) - hr).max(axis=2)
    grey = np.clip(difference * GAIN, 0, 255).astype(np.uint8)
    return [_whole(hr, "truth", []), _whole(grey, f"difference from truth x{GAIN}", [])]


def most_detailed(image: np.ndarray) -> tuple[slice, slice]:
    """The square of 64 pixels with the largest variance of its fine detail, on a grid of half its side."""
    grey = image.mean(axis=2)
    fine = np.abs(np.diff(grey, axis=0, prepend=grey[:1])) + np.abs(np.diff(grey, axis=1, prepend=grey[:, :1]))
    height, width = grey.shape
    corners = [
        (top, left)
        for top in range(0, max(height - CROP, 0) + 1, CROP // 2)
        for left in range(0, max(width - CROP, 0) + 1, CROP // 2)
    ]
    top, left = max(corners, key=lambda corner: fine[corner[0] : corner[0] + CROP, corner[1] : corner[1] + CROP].sum())
    return slice(top, top + CROP), slice(left, left + CROP)


def _headline(rows: list[MethodResults]) -> list[MethodResults]:
    """Bicubic and the first model at its most steps."""
    models = [row for row in rows if isinstance(row.method, Model)]
    first = [row for row in models if row.method.upscaler is models[0].method.upscaler]  # type: ignore[attr-defined]
    best = max(first, key=lambda row: row.method.steps)  # type: ignore[attr-defined]
    return [row for row in rows if isinstance(row.method, Bicubic)] + [best]


def _uncertainty(data: str, image: str, method: Method, store: Store) -> np.ndarray:
    moments = Moments()
    for seed in range(method.seeds):
        moments.add(store.load(data, method, seed, image))
    return uncertainty_map(moments.deviation()).pixels


def _numbers(row: MethodResults, image: str) -> list[str]:
    values = row.scores[image][0]
    return [f"{metric.title} {metric.text(values[metric.key])}" for metric in METRICS if values[metric.key] is not None]


def _whole(pixels: np.ndarray, caption: str, numbers: list[str]) -> Picture:
    image = Image.fromarray(pixels).convert("RGB")
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return Picture(_uri(image, "JPEG", quality=85), caption, numbers)


def _crop(pixels: np.ndarray, caption: str, numbers: list[str]) -> Picture:
    return Picture(_uri(Image.fromarray(pixels), "PNG"), caption, numbers)


def _uri(image: Image.Image, format: str, **options: int) -> str:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return f"data:image/{format.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
