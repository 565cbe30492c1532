"""Shared by all tests: golden vectors, bundles exported from their checkpoints, a photo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import settings

from srdiff.noise import NoiseSource

# A busy machine is no failure.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

DATA = Path(__file__).parent / "data"


class Golden:
    """One public implementation's recorded run; see data/README.md."""

    def __init__(self, family: str) -> None:
        self.family = family
        self.ckpt = DATA / f"{family}_tiny.ckpt"
        self.arrays = np.load(DATA / f"{family}_tiny.npz")
        self.noise_seed = json.loads((DATA / f"{family}_tiny.json").read_text())["noise_seed"]

    def noise(self) -> NoiseSource:
        """The recorded draws, in the order in which the sampler asks: x_T, then one per step but the last."""
        rng = np.random.Generator(np.random.PCG64(self.noise_seed))
        return lambda stream, top, left, height, width: rng.standard_normal((3, height, width), dtype=np.float32)


@pytest.fixture(scope="session", params=["mindediting", "leiali"])
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(request.param)


@pytest.fixture(scope="session")
def export_golden(tmp_path_factory: pytest.TempPathFactory):
    """export_golden(family, clip_denoised) -> the bundle's folder, exported once per test run."""
    pytest.importorskip("mindspore")
    from srdiff_export.export import ExportOptions, export_bundle

    folder = tmp_path_factory.mktemp("golden")
    done: dict[tuple[str, bool], Path] = {}

    def export(family: str, clip_denoised: bool) -> Path:
        key = (family, clip_denoised)
        if key not in done:
            target = folder / f"{family}_{clip_denoised}.srdiff"
            export_bundle(DATA / f"{family}_tiny.ckpt", target, ExportOptions(clip_denoised=clip_denoised))
            done[key] = target
        return done[key]

    return export


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A part of a public-domain photograph: [24, 20, 3] uint8."""
    part = skimage.data.astronaut()[20:260, 150:350]
    return part.reshape(24, 10, 20, 10, 3).mean(axis=(1, 3)).round().astype(np.uint8)
