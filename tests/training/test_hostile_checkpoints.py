"""Checkpoints that are none, or that claim what they do not hold: refused, with the reason."""

from __future__ import annotations

import io
import pickle
import resource
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srdiff.errors import CheckpointError

torch = pytest.importorskip("torch")
ms = pytest.importorskip("mindspore")


from srdiff_training.checkpoints.read import read_tensors  # noqa: E402
from srdiff_training.model.checkpoint import load_checkpoint  # noqa: E402

from .saved_forms import DENOISER, ENCODER, STATE, saved, under  # noqa: E402


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as info:
        load_checkpoint(path)
    message = str(info.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message[len(str(path)) + 1 :]


NAME = "denoise_fn.final_conv.1.bias"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (lambda: torch.ones(3).to_sparse(), "that is sparse"),
        (lambda: torch.ones(3, 3).to_sparse_csr(), "that is sparse"),
        (lambda: torch.ones(3, device="meta"), "that is on the meta device, without numbers"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "that is quantized"),
        (lambda: torch.ones(1).expand(3), "of repeated numbers"),
        (lambda: torch.ones(1).expand(1 << 39), "of repeated numbers"),
        (lambda: torch.ones(3) * 1j, "of type ComplexFloat, whose numbers are not read"),
        (lambda: torch.ones(3).to(torch.float8_e4m3fn), "that is of a rare type of number"),
        (lambda: torch.ones([1] * 9), "of 9 axes"),
    ],
    ids=["sparse", "csr", "meta", "quantized", "expanded", "expanded far", "complex", "float8", "axes"],
)
def test_tensors_that_are_no_plain_numbers(tmp_path: Path, tensor: Any, said: str, is_zip: bool) -> None:
    path = saved(tmp_path, {**STATE, NAME: tensor()}, _use_new_zipfile_serialization=is_zip)
    message = refusal(path)
    assert f"has a tensor {NAME} {said}" in message and "complete" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (torch.nn.Linear(1, 1), "holds a torch.nn.modules.linear.Linear, which is not read"),
        ({**STATE, "extra": pytest.Session}, "holds a _pytest.main.Session"),
        ({"conv_first.weight": torch.ones(1), "body.0.rdb1.conv1.weight": torch.ones(1)}, "an RRDBNet of BasicSR"),
        (under("", ENCODER), "an SRDiff's encoder without its noise predictor"),
        (DENOISER, "an SRDiff's noise predictor without its encoder"),
        ({"denoise_fn.downs.0.weight": torch.ones(1), "denoise_fn.noise_level_mlp.1.weight": torch.ones(1)}, "SR3"),
        ({"features.0.weight": torch.ones(1)}, "a VGG"),
        ({"some.weight": torch.ones(1)}, "it has some.weight"),
    ],
    ids=["module", "class", "esrgan", "encoder", "denoiser", "sr3", "vgg", "unknown"],
)
def test_other_things_are_said_to_be_what_they_are(tmp_path: Path, content: Any, said: str) -> None:
    message = refusal(saved(tmp_path, content))
    assert said in message and "complete" not in message


def test_other_archives_are_said_to_be_what_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.ones(3))
    assert "is an archive of NumPy arrays" in refusal(tmp_path / "a.npz")
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(tmp_path / "a.pt"))
    assert "is a TorchScript program" in refusal(tmp_path / "a.pt")
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": 1}, protocol=2))
    assert "is a pickle of something else" in refusal(tmp_path / "a.pkl")


def rezipped(path: Path, compression: int, **changed: bytes) -> Path:
    """The same archive, its parts compressed or replaced."""
    target = path.with_name("changed.pth")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, changed.get(Path(name).name.replace(".", "_"), old.read(name)))
    return target


ENDLESS = {
    "lists": b"\x80\x02" + b"]" * (1 << 19),
    "more than a pickle may have": b"\x80\x02" + b"]" * (5 << 20) + b".",
    "a place in the memo": b"\x80\x02}r\xff\xff\xff\x7f.",
    "an array of bytes": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x00.",
    "a number's digits": b"L" + b"9" * (1 << 20) + b"L\n.",
    "a hash": b"\x80\x02})" + b"2\x86" * 60 + b"Ns.",
    "no stack": b"\x80\x02R.",
    "no mark": b"\x80\x02u.",
    "itself": b"\x80\x02}q\0(X\x01\0\0\0ah\0u.",
}


def word(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def fans(depth: int) -> bytes:
    """Dictionaries of ten keys that all lead to the same next one."""
    pickled = b"\x80\x02}q\x000"
    for level in range(1, depth):
        items = b"".join(word(str(key)) + b"h" + bytes([level - 1]) for key in range(10))
        pickled += b"}q" + bytes([level]) + b"(" + items + b"u0"
    return pickled + b"h" + bytes([depth - 1]) + b"."


LONG_LIST = b"](" + b"N" * 100_000 + b"e"
REPEATING = {
    "a list as pairs": (
        b"\x80\x02" + LONG_LIST + b"q\0ccollections\nOrderedDict\n](" + b"h\0" * 100_000 + b"e\x85R.",
        "no parameter at all",
    ),
    "calls of a list": (
        b"\x80\x02" + LONG_LIST + b"\x85q\0ccollections\nOrderedDict\nq\1" + b"h\1h\0R0" * 100_000 + b"N.",
        "repeats itself",
    ),
    "calls of a call": (
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nq\0ccollections\nOrderedDict\nN)\x87q\1"
        + b"0h\0Nh\1\x87q\1" * 1000
        + b"h\0h\1R0" * 100_000
        + b"N.",
        "repeats itself",
    ),
    "a long name": (
        b"\x80\x02" + word("typing") + b"q\0" + word("a" * 100_000) + b"q\1" + b"h\0h\1\x93" * 100_000 + b".",
        "a name of more than",
    ),
    "names of names": (b"\x80\x02}(" + word("a" * 5000) + b"Nu.", "a name of more than"),
    "dictionaries": (fans(8), "entries"),
}


@pytest.mark.parametrize("name", REPEATING)
def test_what_repeats_itself_ends_soon(tmp_path: Path, name: str) -> None:
    """Work follows the file's bytes: each of these asked for a billion steps and more."""
    content, said = REPEATING[name]
    began = time.process_time()
    message = refusal(rezipped(saved(tmp_path, {"a": torch.ones(1)}), zipfile.ZIP_STORED, data_pkl=content))
    assert said in message
    assert time.process_time() - began < 30


@pytest.mark.parametrize("shape", [b"K\x05", b"]", b"N", b"}"])
def test_a_shape_is_a_tuple(tmp_path: Path, shape: bytes) -> None:
    path = saved(tmp_path, {"a": torch.ones(1)})
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        content = archive.read(name)
    assert content.count(b"K\x01\x85") == 2  # shape and strides
    refused = refusal(rezipped(path, zipfile.ZIP_STORED, data_pkl=content.replace(b"K\x01\x85", shape, 1)))
    assert "is damaged" in refused


@pytest.mark.parametrize("name", ENDLESS)
def test_pickles_without_end(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, {"a": torch.ones(1)})
    refusal(rezipped(path, zipfile.ZIP_STORED, data_pkl=ENDLESS[name]))


@pytest.mark.parametrize(
    "keys",
    [
        b"])" + b"2\x86" * 60 + b"a.",
        b"])" + b"\x85" * 1_000_000 + b"a.",
        b"]]a.",
        b"]" + word("a") + b"a.",
        b"}.",
        word("a") + b".",
        b"N.",
    ],
    ids=["a tuple of twos", "a deep tuple", "a list", "a name of none", "no list", "a word", "nothing"],
)
def test_a_legacy_files_storages_are_named_by_words(tmp_path: Path, keys: bytes) -> None:
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {"a": 1})
    path = tmp_path / "legacy.pt"
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts) + b"\x80\x02" + keys)
    began = time.process_time()
    assert "is damaged: its list of storages names" in refusal(path)
    assert time.process_time() - began < 10


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    """Compressed parts, numbers that many tensors share, shapes that claim a network of any size."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    big = saved(tmp_path, {**STATE, NAME: torch.zeros(1 << 22)})
    assert "is compressed inside" in refusal(rezipped(big, zipfile.ZIP_DEFLATED))
    shared = torch.zeros(1 << 20)
    many = saved(tmp_path, {f"a{number}.w": shared.view(-1) for number in range(2000)})
    assert "tensors of more numbers than it has bytes" in refusal(many)
    claims = {**STATE, "denoise_fn.downs.1.0.mlp.1.bias": torch.zeros(1 << 20)}
    assert "numbers where a network of the sizes that its shapes tell has more than" in refusal(saved(tmp_path, claims))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB; the largest file has 16 MB


def test_numbers_that_are_not_there(tmp_path: Path) -> None:
    """A storage shorter than its pickle says, in both layouts."""
    path = saved(tmp_path, {"some.weight": torch.arange(10.0)})
    with zipfile.ZipFile(path) as archive:
        (data,) = [name for name in archive.namelist() if "/data/" in name]
    changed = rezipped(path, zipfile.ZIP_STORED, **{Path(data).name: bytes(36)})
    assert "10 numbers of type Float are 36 bytes" in refusal(changed)
    legacy = saved(tmp_path, {"some.weight": torch.arange(10.0)}, _use_new_zipfile_serialization=False)
    content = legacy.read_bytes()
    legacy.write_bytes(content.replace(struct.pack("<q", 10), struct.pack("<q", 11)))
    assert "check that the file is complete" in refusal(legacy)
    legacy.write_bytes(content.replace(struct.pack("<q", 10), struct.pack("<q", -1)))
    refusal(legacy)


def test_torch_is_not_needed(tmp_path: Path) -> None:
    """Nor loaded: who deploys has no use for it."""
    import subprocess
    import sys

    path = saved(tmp_path, STATE)
    script = (
        "import sys; sys.modules['torch'] = None; from pathlib import Path; "
        "from srdiff_training.checkpoints.read import read_tensors; print(len(read_tensors(Path(sys.argv[1]))))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(STATE)
    assert len(read_tensors(path)) == len(STATE)


def test_both_orders_of_bytes(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"a.weight": torch.arange(3.0)}, buffer)
    (tmp_path / "a.pth").write_bytes(buffer.getvalue())
    swapped = rezipped(
        tmp_path / "a.pth", zipfile.ZIP_STORED, byteorder=b"big", **{"0": np.arange(3, dtype=">f4").tobytes()}
    )
    np.testing.assert_array_equal(read_tensors(swapped)["a.weight"], [0, 1, 2])
