"""Mutated bundles, opened and run: ``python -m tests.fuzz.bundles --count 1000``.

See :mod:`tests.fuzz.runner` for what each must end in. Hashes are put right, since a stranger would do so.
"""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np

from srdiff.doctor.golden import GOLDEN
from srdiff.errors import SRDiffError
from srdiff.upscaler import Upscaler

from ..runtime.tampering import rehash
from .runner import Case, Fuzz

ENGINES = ("onnxruntime", "openvino")
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.uint8)
EXTREME: tuple[Any, ...] = (
    *(None, True, [], {}, "", "x" * 300, "../up", "\0", -1, 0, 1, 2**31, 2**63, 10**400, 0.5, -0.0),
    *(1e308, float("nan"), float("inf"), [[[[]]]], {"a": {}}, [1, 2, 3], "onnx", "step.onnx", "fp16"),
)
BYTES = (0, 1, 7, 0x7F, 0x80, 0xFF)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


def in_manifest(bundle: Path, random: np.random.Generator) -> None:
    """One to three values replaced, taken away or given another name."""
    file = bundle / "manifest.json"
    data = json.loads(file.read_text())
    for _ in range(random.integers(1, 4)):
        known = [place for place in places(data) if place and "parity" not in place]
        place = known[random.integers(len(known))]
        parent = data
        for key in place[:-1]:
            parent = parent[key]
        change = random.integers(8)
        if change == 0:
            del parent[place[-1]]
        elif change == 1 and isinstance(parent, dict):
            parent[str(EXTREME[random.integers(len(EXTREME))])[:300]] = parent.pop(place[-1])
        else:
            parent[place[-1]] = copy.deepcopy(EXTREME[random.integers(len(EXTREME))])
    file.write_text(json.dumps(data))


def in_bytes(name: str, rehashed: bool) -> Callable[[Path, np.random.Generator], None]:
    """Bits flipped, bytes at their limits, parts cut out, doubled or moved, more often near the ends."""

    def change(bundle: Path, random: np.random.Generator) -> None:
        data = bytearray((bundle / name).read_bytes())
        for _ in range(random.integers(1, 5)):
            near = min(len(data), 300) if random.random() < 0.5 else len(data)
            if near < 2:
                break
            at = int(random.integers(near)) if random.random() < 0.5 else len(data) - 1 - int(random.integers(near))
            length = int(random.integers(1, 64))
            kind = random.integers(5)
            if kind == 0:
                data[at] ^= 1 << int(random.integers(8))
            elif kind == 1:
                data[at] = BYTES[random.integers(len(BYTES))]
            elif kind == 2:
                del data[at : at + length]
            elif kind == 3:
                data[at:at] = data[at : at + length]
            else:
                del data[at:]
        (bundle / name).write_bytes(bytes(data))
        if rehashed:
            rehash(bundle, name)

    return change


def in_folder(bundle: Path, random: np.random.Generator) -> None:
    """A file that is gone, empty, a folder, or a link."""
    files = sorted(bundle.iterdir())
    file = files[random.integers(len(files))]
    content = file.read_bytes()
    file.unlink()
    kind = random.integers(4)
    if kind == 1:
        file.write_bytes(b"")
    elif kind == 2:
        file.mkdir()
    elif kind == 3:
        (bundle / "moved").write_bytes(content)
        file.symlink_to(bundle / "moved")


CHANGES = (
    *(in_manifest, in_manifest, in_folder, in_bytes("manifest.json", False)),
    *(in_bytes(name, True) for name in ("encoder.onnx", "step.onnx", "encoder.onnx", "step.onnx", "time_bias.npy")),
)


def opened_and_run(number: int, folder: Path) -> str:
    """The golden bundle with one change: the refusal, or an empty string where it still runs."""
    random = np.random.default_rng([number, 14])
    bundle = folder / "copy.srdiff"
    shutil.copytree(str(GOLDEN / "golden.srdiff"), str(bundle))
    try:
        CHANGES[random.integers(len(CHANGES))](bundle, random)
        upscaler = Upscaler.from_bundle(bundle, engine=ENGINES[number % 2], device="cpu", threads=1)
        result = upscaler.upscale(PIXELS, steps=1)
        assert result.shape == (8 * upscaler.scale, 12 * upscaler.scale, 3), result.shape
    except SRDiffError as error:
        return str(error)
    finally:
        shutil.rmtree(bundle)
    return ""


def cases() -> Case:
    return opened_and_run


FUZZ = Fuzz("tests.fuzz.bundles", cases, 1000)

if __name__ == "__main__":
    FUZZ.main()
