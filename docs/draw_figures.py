"""Draws the figures of how_it_works.md and the gallery from real runs: ``python docs/draw_figures.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from skimage import data

from srdiff import Bundle, Upscaler
from srdiff.graph_io import Coefficients
from srdiff.model_names import bundle_folder
from srdiff.photo.convert import photo_from
from srdiff.progress import Preview, Progress
from srdiff.resize import bicubic
from srdiff.tiles import cut

HERE = Path(__file__).parent
FIGURES, GALLERY = HERE / "figures", HERE / "gallery"
# Public domain or CC0, from scikit-image; and where a crop of 96x64 is cut from the input, (top, left).
PHOTOS = {"astronaut": (8, 30), "chelsea": (16, 24), "coffee": (20, 40), "rocket": (30, 50)}
CROP = (64, 96)


def small(name: str) -> np.ndarray:
    """A photo shrunk four times as the models' training inputs are."""
    hr = getattr(data, name)()
    height, width = (side // 4 for side in hr.shape[:2])
    return bicubic(hr[: 4 * height, : 4 * width], height, width)


def coefficients() -> None:
    manifest = Bundle(bundle_folder("small-v1")).manifest
    plan = manifest.plan(manifest.sampler())
    figure, axes = plt.subplots(2, 3, figsize=(9, 4.5), sharex=True, layout="constrained")
    for axis, name, values in zip(axes.flat, Coefficients._fields, np.array([step.coef for step in plan]).T):
        axis.plot([step.t for step in plan], values, "o-", color="#b4532a")
        axis.set_title(name)
        axis.set_xlim(104, -5)
        if name in "CD":
            axis.set_yscale("symlog")
    figure.supxlabel("timestep, first to last")
    figure.savefig(FIGURES / "coefficients.png", dpi=110)


def stages() -> None:
    lr = small("astronaut")[8:72, 24:88]
    upscaler = Upscaler.from_bundle("small-v1")
    preview = Preview(lr, upscaler.bundle.manifest, 256)
    shown = []

    def watch(progress: Progress) -> None:
        preview.take(progress)
        if progress.done in (1, 2, 4, 6, 8, 10):
            shown.append(preview.picture())

    upscaler.enlarge(photo_from(lr), 0, None, watch)
    Image.fromarray(np.hstack(shown)).save(FIGURES / "stages.webp", quality=90)


def windows() -> None:
    figure, axis = plt.subplots(figsize=(9, 2.4), layout="constrained")
    for number, window in enumerate(cut(128, 400, (128, 160), 32, 2, 4)):
        place = window.left + np.arange(window.width * 4) / 4
        axis.plot(place, window.column_weight, label=f"window {number + 1}")
    axis.set_xlabel("input pixel")
    axis.set_ylabel("weight")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(FIGURES / "windows.png", dpi=110)


def gallery() -> None:
    models = {name: Upscaler.from_bundle(name) for name in ("photo", "clean")}
    for name, (top, left) in PHOTOS.items():
        lr = small(name)
        height, width = lr.shape[:2]
        pictures = {
            "input": lr.repeat(4, axis=0).repeat(4, axis=1),
            "bicubic": bicubic(lr, 4 * height, 4 * width),
            **{model: upscaler.upscale(lr) for model, upscaler in models.items()},
        }
        Image.fromarray(pictures["photo"]).save(GALLERY / f"{name}.webp", quality=85)
        rows, columns = (slice(4 * start, 4 * (start + size)) for start, size in zip((top, left), CROP))
        crops = [picture[rows, columns] for picture in pictures.values()]
        sheet = np.vstack([np.hstack(crops[:2]), np.hstack(crops[2:])])
        Image.fromarray(np.ascontiguousarray(sheet)).save(GALLERY / f"{name}_crops.webp", quality=90)


if __name__ == "__main__":
    for folder in (FIGURES, GALLERY):
        folder.mkdir(exist_ok=True)
    for draw in (coefficients, stages, windows, gallery):
        draw()
