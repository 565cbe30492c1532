"""A bundle of the model card's sizes with random weights: as slow as the real one, and as fast."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from srdiff.bundle import MANIFEST_NAME
from srdiff.errors import PackageError
from srdiff.mindspore_log import keep_quiet
from srdiff_training.measure.cache import cache_folder


def card_bundle() -> Path:
    """Folder of the bundle, exported on first use from freshly initialised cells.

    It clamps x_0, which the card's model does not: untrained, the numbers would grow out of range.

    Raises:
        PackageError: it is not there yet and MindSpore is not installed.
    """
    target = cache_folder() / "card_random.srdiff"
    if (target / MANIFEST_NAME).is_file():
        return target
    keep_quiet()
    try:
        import mindspore as ms

        from srdiff_export.export import ExportOptions, export_bundle
        from srdiff_training.model.config import NetworkConfig
        from srdiff_training.model.network import SRDiff
        from srdiff_training.model.parameter_names import public_name
    except ImportError as error:
        raise PackageError(
            f"--card exports a model once, which needs MindSpore ({error}); run: pip install 'srdiff[cpu,export]'"
        ) from error
    config = NetworkConfig("mindediting")  # whose own sizes are the card's
    ms.set_seed(0)
    np.random.seed(0)  # noqa: NPY002  # what MindSpore's initialisers draw from
    network = SRDiff(config)
    tensors = [{"name": public_name(p.name, config), "data": p} for p in network.get_parameters()]
    target.parent.mkdir(parents=True, exist_ok=True)
    ckpt = target.with_suffix(".ckpt")
    try:
        ms.save_checkpoint(tensors, str(ckpt))
        options = ExportOptions(name="card sizes, random weights", clip_denoised=True, license="Apache-2.0")
        export_bundle(ckpt, target, options)
    finally:
        if ckpt.exists():
            ckpt.chmod(0o600)
            ckpt.unlink()
    return target
