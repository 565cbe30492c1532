"""Draws the pictures of real_photos.md, what people have and what comes of it: ``python docs/draw_real_photos.py``.

From left to right: the input's pixels, bicubic, clean, photo. All photos are public domain or CC0, from scikit-image.
Also front.webp, the first that a visitor sees: bicubic above, photo below.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Callable

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

from srdiff import Upscaler
from srdiff.resize import bicubic

FOLDER = Path(__file__).parent / "real_photos"
SIDE = 72  # of the part that is shown, in input pixels


def part(image: np.ndarray, top: int, left: int, side: int = SIDE) -> np.ndarray:
    """[side, side, 3] of a photo, grey or colour."""
    shown = image[top : top + side, left : left + side]
    return np.ascontiguousarray(shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2))


def shrunk(image: np.ndarray, times: int) -> np.ndarray:
    height, width = image.shape[0] // times, image.shape[1] // times
    colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    return bicubic(colour[: height * times, : width * times, :3], height, width)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def cartoon() -> np.ndarray:
    """Flat colours and dark lines, drawn at twice the size."""
    canvas = Image.new("RGB", (2 * SIDE, 2 * SIDE), (250, 244, 225))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 96, 144, 144), fill=(120, 180, 90), outline=(30, 30, 30), width=3)
    draw.ellipse((20, 14, 100, 94), fill=(240, 190, 60), outline=(30, 30, 30), width=4)
    draw.ellipse((40, 38, 50, 50), fill=(30, 30, 30))
    draw.ellipse((70, 38, 80, 50), fill=(30, 30, 30))
    draw.arc((40, 48, 80, 80), 20, 160, fill=(30, 30, 30), width=4)
    draw.polygon([(104, 120), (140, 120), (122, 60)], fill=(200, 60, 50), outline=(30, 30, 30))
    return shrunk(np.asarray(canvas), 2)


def dusk() -> np.ndarray:
    """A sky without anything in it."""
    rows = np.linspace(0, 1, SIDE)[:, None, None]
    sky = (1 - rows) * np.array([40, 70, 130]) + rows * np.array([235, 160, 110])
    return np.rint(np.broadcast_to(sky, (SIDE, SIDE, 3))).astype(np.uint8)


# By name, what is enlarged.
INPUTS: dict[str, Callable[[], np.ndarray]] = {
    "face_jpeg": lambda: part(jpeg(shrunk(data.astronaut(), 2), 40), 20, 70),
    "cat_jpeg": lambda: part(jpeg(shrunk(data.chelsea(), 2), 25), 40, 60),
    "coffee_noise": lambda: part(noisy(shrunk(data.coffee(), 3), 10), 30, 60),
    "rocket_camera": lambda: part(data.rocket(), 150, 290),
    "retina_camera": lambda: part(data.retina(), 600, 850),
    "stars_jpeg": lambda: part(data.hubble_deep_field(), 300, 420),
    "camera_grain": lambda: part(noisy(shrunk(data.camera(), 3), 14), 20, 50),
    "coins_scan": lambda: part(data.coins(), 30, 20),
    "page_scan": lambda: part(data.page(), 40, 60),
    "handwriting": lambda: part(jpeg(data.text(), 50), 40, 200),
    "cartoon_jpeg": lambda: jpeg(cartoon(), 40),
    "dusk_jpeg": lambda: jpeg(dusk(), 30),
}

FRONT_SIDE = 96
# A cup with noise, and what a camera stored.
FRONT: list[Callable[[], np.ndarray]] = [
    lambda: part(noisy(shrunk(data.coffee(), 3), 8), 20, 40, FRONT_SIDE),
    lambda: part(data.chelsea(), 80, 150, FRONT_SIDE),
    lambda: part(data.rocket(), 150, 280, FRONT_SIDE),
]


def front(photo: Upscaler) -> None:
    side = 4 * FRONT_SIDE
    columns = [np.concatenate([bicubic(lr, side, side), photo.upscale(lr)]) for lr in (make() for make in FRONT)]
    Image.fromarray(np.concatenate(columns, axis=1)).save(FOLDER.with_name("front.webp"), quality=88, method=6)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    models = [Upscaler.from_bundle(name, precision="fp32") for name in ("clean", "photo")]
    for name, make in INPUTS.items():
        lr = make()
        pixels = np.repeat(np.repeat(lr, 4, axis=0), 4, axis=1)
        row = [pixels, bicubic(lr, 4 * SIDE, 4 * SIDE), *(model.upscale(lr) for model in models)]
        Image.fromarray(np.concatenate(row, axis=1)).save(FOLDER / f"{name}.webp", quality=88, method=6)
    front(models[1])


if __name__ == "__main__":
    main()
