"""Latent interpolation and content fusion: ``python examples/latent.py photo.png folder``.

Writes interpolation.png, the way from one seed's result to another's in five pictures, and fusion.png: a
result whose middle was replaced by a sharpened copy, before and after the model made the edit fit in.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from srdiff import Upscaler
from srdiff.latent import fuse, mixed_noise
from srdiff.model_names import MANY_STEPS
from srdiff.noise import philox_noise

STEPS = 20


def main(source: Path, folder: Path) -> None:
    upscaler = Upscaler.from_bundle(MANY_STEPS)  # noise decides little in models of one step
    image = Image.open(source).convert("RGB")
    folder.mkdir(parents=True, exist_ok=True)

    path = [
        np.asarray(upscaler.upscale(image, steps=STEPS, noise=mixed_noise(philox_noise(1), philox_noise(2), weight)))
        for weight in (0, 0.25, 0.5, 0.75, 1)
    ]
    Image.fromarray(np.hstack(path)).save(folder / "interpolation.png")

    plain = upscaler.upscale(image, seed=1, steps=STEPS)
    edited = plain.copy()
    width, height = plain.size
    middle = (width // 4, height // 4, 3 * width // 4, 3 * height // 4)
    edited.paste(plain.filter(ImageFilter.UnsharpMask(radius=2, percent=150)).crop(middle), middle)
    fused = fuse(upscaler, image, edited, strength=0.2)
    Image.fromarray(np.hstack([np.asarray(edited), np.asarray(fused)])).save(folder / "fusion.png")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("give a small photo and a folder: python examples/latent.py photo.png folder")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
