"""MindSpore Lite's tests: they run where it is installed, as ``make test-lite`` does."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Callable

import pytest

# Protobuf takes the generated code of MindSpore and of onnx only in this order.
with contextlib.suppress(ImportError):
    import mindspore  # noqa: F401

from tests.conftest import DATA

TILE = (12, 16)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    try:
        import mindspore_lite  # noqa: F401
    except ImportError:
        missing = pytest.mark.skip(reason="MindSpore Lite is not installed")
        for item in items:
            if Path(str(item.fspath)).parent == Path(__file__).parent:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def export_mindir(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Path]:
    """export_mindir(family, clip_denoised) -> a bundle of one tile of 12x16, exported once per test run."""
    from srdiff_export.export import ExportOptions, export_bundle

    folder = tmp_path_factory.mktemp("mindir")

    def export(family: str, clip_denoised: bool) -> Path:
        target = folder / f"{family}_{clip_denoised}.srdiff"
        if not target.exists():
            options = ExportOptions(formats=("mindir",), shapes=(TILE,), clip_denoised=clip_denoised)
            export_bundle(DATA / f"{family}_tiny.ckpt", target, options)
        return target

    return export
