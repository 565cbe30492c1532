"""Bundles changed by a stranger who keeps the hashes right."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Callable

import pytest

from srdiff.errors import BundleError
from srdiff.upscaler import Upscaler


def edit(bundle: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    change(manifest)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def refused(path: Path) -> str:
    """Open the bundle as the command does and return the sentence that refuses it."""
    with pytest.raises(BundleError) as caught:
        Upscaler.from_bundle(path, engine="onnxruntime", device="cpu")
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def rehash(bundle: Path, name: str) -> None:
    content = (bundle / name).read_bytes()
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    edit(bundle, lambda manifest: manifest["files"].update({name: entry}))
