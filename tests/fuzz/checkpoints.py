"""Mutated checkpoints, read as export and training read them: ``python -m tests.fuzz.checkpoints --count 1000``.

See :mod:`tests.fuzz.runner` for what each must end in.
"""

from __future__ import annotations

import io
import json
import struct
import tempfile
import zipfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable

import mindspore as ms
import numpy as np
import torch
from safetensors.numpy import save as save_safetensors

from srdiff.errors import SRDiffError
from srdiff.schedule import cosine_betas
from srdiff_training.model.checkpoint import load_checkpoint
from srdiff_training.model.config import NetworkConfig
from srdiff_training.model.network import SRDiff
from srdiff_training.model.parameter_names import public_name, public_shape, rrdb_name
from srdiff_training.model.recipe_options import RecipeOptions
from srdiff_training.model.rrdb import RRDBUpscaler
from srdiff_training.run.snapshot import STATE_NAME, read_state
from srdiff_training.run.stored_weights import load_rrdb

from .pictures import CHANGES
from .runner import Case, Fuzz

Arrays = dict[str, np.ndarray]
CONFIGS = [
    NetworkConfig(family, 2, 2, 2, 1, unet_channels=4, unet_mults=(1, 2), up_input=True)
    for family in ("mindediting", "leiali")
]
RRDB = NetworkConfig("mindediting", 4, 2, 2, 1, unet_channels=4)
NUMBERS = ("betas", "srdiff_res_rescale", "srdiff_clip_denoised", "srdiff_student_steps")
EXTREME = (0.0, -1.0, 0.5, 1.0, 1e-30, 1e9, 3e38, float("nan"), float("inf"))
DTYPES = ("float16", "float32", "float64", "int8", "int64", "uint8", "bool")
SHAPES = ((), (0,), (1,), (1,) * 8, (1,) * 9, (3, 0, 2), (1, 1, 1, 1), (7,), (4096, 3, 3, 3))
JSON_VALUES: tuple[Any, ...] = (
    *(None, True, [], {}, "", "x" * 300, "F32", "BF16", "F8_E4M3", -1, 0, 1, 2**31, 2**63, 10**400, 0.5, 1e308),
    *([0, 2**62], [[[[]]]], [2**40, 2**40], [-1, 4], [0] * 9),
)


def random_weights(config: NetworkConfig) -> Arrays:
    """By the names and in the shapes of a checkpoint."""
    rng = np.random.default_rng(0)
    return {
        public_name(parameter.name, config): rng.standard_normal(
            public_shape(parameter.name, tuple(parameter.shape), config), np.float32
        )
        for parameter in SRDiff(config).get_parameters()
    }


def as_torch(arrays: Arrays, zipped: bool) -> bytes:
    file = io.BytesIO()
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    torch.save({"state_dict": {"model": tensors}, "epoch": 3}, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def as_mindspore(arrays: Arrays) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.ckpt"
        content = [{"name": name, "data": ms.Tensor(np.array(array))} for name, array in arrays.items()]
        words = {STATE_NAME: json.dumps({"stage": "srdiff", "step": 3, "best": None, "settings": {}})}
        ms.save_checkpoint(content, str(path), append_dict=words)
        return path.read_bytes()


SAVED: dict[str, Callable[[Arrays], bytes]] = {
    ".ckpt": as_mindspore,
    ".pth": lambda arrays: as_torch(arrays, zipped=True),
    ".pt": lambda arrays: as_torch(arrays, zipped=False),
    ".safetensors": save_safetensors,
}


def states() -> list[Arrays]:
    """Networks of both families with their schedule, one with averaged weights beside those that were trained, and an
    RRDB of the first stage of training.
    """
    found = []
    for config in CONFIGS:
        arrays = random_weights(config)
        found.append({**arrays, "betas": cosine_betas(100).astype(np.float32)})
    averaged = {f"model_ema.{name}": array for name, array in found[1].items()}
    found.append({**{f"module.{name}": array for name, array in found[1].items()}, **averaged})
    return [*found, {rrdb_name(parameter.name): parameter.asnumpy().copy() for parameter in rrdb_parameters()}]


def edited(arrays: Arrays, random: np.random.Generator) -> Arrays:
    """One to three parameters gone, renamed, of another shape, type or value; numbers of the recipe that cannot be."""
    arrays = dict(arrays)
    for _ in range(random.integers(1, 4)):
        names = list(arrays)
        name, other = (names[random.integers(len(names))] for _ in range(2))
        kind = random.integers(7)
        if kind == 0:
            del arrays[name]
        elif kind == 1:
            arrays[other] = arrays.pop(name)
        elif kind == 2:
            arrays[name.replace("0", "1", 1) if random.random() < 0.5 else "a." * 40 + name] = arrays[name]
        elif kind == 3:
            arrays[name] = np.ones(SHAPES[random.integers(len(SHAPES))], np.float32)
        elif kind == 4:
            with np.errstate(all="ignore"):
                arrays[name] = arrays[name].astype(DTYPES[random.integers(len(DTYPES))])
        else:
            name = NUMBERS[random.integers(len(NUMBERS))] if kind == 5 else name
            value = EXTREME[random.integers(len(EXTREME))]
            shape = (int(random.choice([0, 1, 2, 100, 20_000])),) if kind == 5 else arrays[name].shape
            arrays[name] = np.full(shape, value, np.float32)
    return arrays


def in_zip(data: bytes, random: np.random.Generator, files: list[bytes]) -> bytes:
    """One member changed, compressed or doubled, its checksum right."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(result, "w") as new:
        chosen = "data.pkl" if random.random() < 0.7 else ""
        for name in old.namelist():
            content = bytearray(old.read(name))
            if name.endswith(chosen) and (chosen or random.random() < 0.2):
                changed_bytes(content, random, files)
            pack = zipfile.ZIP_DEFLATED if random.random() < 0.05 else zipfile.ZIP_STORED
            new.writestr(name, bytes(content), pack)
    return result.getvalue()


def in_header(data: bytes, random: np.random.Generator) -> bytes:
    """Values of a safetensors header replaced, taken away or put under another name."""
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    for _ in range(random.integers(1, 4)):
        entry = header[list(header)[random.integers(len(header))]]
        if not isinstance(entry, dict) or not entry or random.random() < 0.1:
            entry = header
        key = list(entry)[random.integers(len(entry))]
        if random.random() < 0.2:
            del entry[key]
        else:
            entry[key] = JSON_VALUES[random.integers(len(JSON_VALUES))]
        if not header:
            break
    body = json.dumps(header).encode()
    return struct.pack("<Q", len(body)) + body + data[8 + size :]


def changed_bytes(data: bytearray, random: np.random.Generator, files: list[bytes]) -> None:
    for _ in range(random.integers(1, 5)):
        if len(data) >= 4:
            CHANGES[random.integers(len(CHANGES))](data, random, files)


def mutated(known: list[Arrays], files: dict[str, list[bytes]], number: int) -> tuple[str, bytes]:
    """Suffix and bytes of the checkpoint of this number."""
    random = np.random.default_rng([number, 21])
    suffix = list(SAVED)[number % len(SAVED)]
    which, kind = random.integers(len(known)), random.random()
    if kind < 0.35:
        arrays = edited(known[which], random)
        if suffix == ".ckpt":  # MindSpore's writer takes no array without numbers
            arrays = {name: array for name, array in arrays.items() if array.size}
        return suffix, SAVED[suffix](arrays)
    data = files[suffix][which]
    if kind < 0.6 and suffix == ".pth":
        return suffix, in_zip(data, random, files[suffix])
    if kind < 0.6 and suffix == ".safetensors":
        return suffix, in_header(data, random)
    changed = bytearray(data)
    changed_bytes(changed, random, files[suffix])
    return suffix, bytes(changed)


@lru_cache(maxsize=None)
def rrdb_parameters() -> list[ms.Parameter]:
    return list(RRDBUpscaler(RRDB).get_parameters())


def read_by_all(path: Path, weights: str | None) -> str:
    """What the export says of it: the refusal, or an empty string; the trainer's ways to read it must end alike."""
    refusal = ""
    try:
        checkpoint = load_checkpoint(path, weights=weights)
        RecipeOptions().recipe(checkpoint)
        checkpoint.build()
    except SRDiffError as error:
        refusal = str(error)
    for read in (
        lambda: read_state(path),
        lambda: load_rrdb(path, rrdb_parameters(), RRDB),
    ):
        with suppress(SRDiffError):
            read()
    return refusal


def cases() -> Case:
    known = states()
    files = {suffix: [save(arrays) for arrays in known] for suffix, save in SAVED.items()}

    def case(number: int, folder: Path) -> str:
        suffix, data = mutated(known, files, number)
        path = folder / f"model{suffix}"
        path.write_bytes(data)
        try:
            return read_by_all(path, (None, None, "ema", "raw")[number // 4 % 4])
        finally:
            path.unlink()

    return case


FUZZ = Fuzz("tests.fuzz.checkpoints", cases, 1000)

if __name__ == "__main__":
    FUZZ.main()
