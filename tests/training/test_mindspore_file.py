"""MindSpore's checkpoints: the same arrays as MindSpore reads, and one sentence where its reader would crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srdiff.errors import CheckpointError
from srdiff_training.checkpoints.read import read_file, read_tensors

from ..conftest import DATA


def varint(number: int) -> bytes:
    number %= 1 << 64
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def value(name: str, dims: list[int], dtype: str, content: bytes) -> bytes:
    """A parameter whose shape need not fit its content."""
    tensor = b"".join(b"\x08" + varint(dim) for dim in dims) + field(2, dtype.encode()) + field(3, content)
    return field(1, field(1, name.encode()) + field(2, tensor))


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as info:
        read_tensors(path)
    message = str(info.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message[len(str(path)) + 1 :]


@pytest.mark.parametrize(
    ("dims", "content", "said"),
    [
        ([1], b"A" * 64, "shape [1] and type Float32 takes 4 bytes and has 64"),
        ([250], b"\0\0\x80?", "takes 1000 bytes and has 4"),
        ([1 << 33], b"\0\0\x80?", "takes 34359738368 bytes and has 4"),
        ([1 << 62, 1 << 62], b"", "and has 0"),
        ([-1], b"\0\0\x80?", "and has 4"),
        ([0], b"\0\0\x80?" * 2, "shape [] and type Float32 takes 4 bytes and has 8"),
        ([0, 4], b"", "takes 0 bytes"),
        ([1] * 9, b"\0\0\x80?", "more than 8 axes"),
    ],
)
def test_content_that_does_not_fit_the_shape(tmp_path: Path, dims: list[int], content: bytes, said: str) -> None:
    assert said in refusal(tmp_path / "a.ckpt", value("w", dims, "Float32", content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xd8\x5e\x3a\x7f" + bytes(90), "is encrypted (AES-GCM); load it"),
        (b"\xda\x5e\x3a\x7f" + bytes(90), "is encrypted (SM4-CBC); load it"),
        (value("w", [1], "Int4", b"\1"), "is of type Int4, whose numbers are not read"),
        (b"".join(value(name, [1], "Int8", b"\1") for name in "wvw"), "is there twice"),
        (value("w", [2], "Int8", b"\1") + value("w", [3], "Int8", b"\1\2"), "is there twice"),
        (field(1, field(1, b"w") + field(3, b"")), "is a table of keys"),
        (field(1, field(1, b"w")), "no tensor"),
        (field(1, field(1, b"w") + field(2, b"")), "has no type or no content"),
        (field(1, field(1, b"w") * 3), "other fields than name and tensor"),
        (b"\n\0" * 10, "no name or no tensor"),
        (field(1, field(1, b"\xff\xfe") + field(2, field(2, b"Int8") + field(3, b"\1"))), "is damaged"),
        (value("w", [1], "Int8", b"\1") + b"crc_num" + bytes(10), "its checksum is not that of its content"),
        (b"", "is empty"),
        (b"\x08\x07\x12\x07pytorch", "is an ONNX graph"),
        (b"\n\x050.1.1\x12\tMindSpore*", "is a MindIR graph"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!doctype html><html>", "is a web page"),
        (b"To be a checkpoint", "is neither a MindSpore nor a PyTorch checkpoint"),
    ],
)  # fmt: skip
def test_each_refusal_names_the_true_reason(tmp_path: Path, content: bytes, said: str) -> None:
    message = refusal(tmp_path / "a.ckpt", content)
    assert said in message and "complete" not in message


def test_only_a_file_that_ends_too_early_is_said_to_be_incomplete(tmp_path: Path) -> None:
    whole = (DATA / "mindediting_tiny.ckpt").read_bytes()
    for size in (3, 40, 5000, len(whole) - 1):
        assert refusal(tmp_path / "a.ckpt", whole[:size]).endswith("check that the file is complete")


def test_a_folder_and_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a file"):
        read_tensors(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match="is a bundle"):
        read_tensors(tmp_path)


def test_the_arrays_are_those_that_mindspore_reads(tmp_path: Path) -> None:
    ms = pytest.importorskip("mindspore")
    expected = {
        name: parameter.asnumpy() for name, parameter in ms.load_checkpoint(str(DATA / "mindediting_tiny.ckpt")).items()
    }
    found = read_tensors(DATA / "mindediting_tiny.ckpt")
    assert list(found) == list(expected) and len(found) > 100
    for name, array in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array)


def test_every_type_and_what_save_checkpoint_adds(tmp_path: Path) -> None:
    ms = pytest.importorskip("mindspore")
    types = (ms.float16, ms.float64, ms.int8, ms.int16, ms.int32, ms.int64, ms.uint8, ms.uint16, ms.bool_)
    content = [{"name": str(dtype), "data": ms.Tensor(np.array([[0, 1], [1, 0]]), dtype)} for dtype in types]
    content.append({"name": "number", "data": ms.Tensor(np.float32(2.5))})
    path, words = tmp_path / "a.ckpt", {"epoch": 3, "note": "größer 好"}
    ms.save_checkpoint(content, str(path), append_dict=words)
    found = read_file(path)
    assert found.words == {"note": "größer 好"} and found.tensors["epoch"] == 3 and found.tensors["number"] == 2.5
    for dtype in types:
        np.testing.assert_array_equal(found.tensors[str(dtype)], [[0, 1], [1, 0]])


def test_bfloat16_parts_and_an_old_number(tmp_path: Path) -> None:
    """What MindSpore 2.0 cannot write, or nobody in a test: a parameter above 512 MB comes in parts."""
    path = tmp_path / "a.ckpt"
    path.write_bytes(
        value("half", [2], "BFloat16", b"\x80\x3f\x20\xc0")
        + value("parts", [2, 2], "Float32", np.float32([1, 2, 3]).tobytes())
        + value("parts", [2, 2], "Float32", np.float32([4]).tobytes())
        + value("number", [0], "Float32", np.float32([5]).tobytes())
    )
    found = read_tensors(path)
    np.testing.assert_array_equal(found["half"], [1, -2.5])
    np.testing.assert_array_equal(found["parts"], [[1, 2], [3, 4]])
    assert found["number"].shape == () and found["number"] == 5


def test_a_checksum_and_encryption_as_mindspore_writes_them(tmp_path: Path) -> None:
    ms = pytest.importorskip("mindspore")
    if ms.__version__.startswith("2.0."):
        pytest.skip("MindSpore 2.0 writes no checksum")
    content = [{"name": "w", "data": ms.Tensor(np.arange(6, dtype=np.float32))}]
    path = tmp_path / "a.ckpt"
    ms.save_checkpoint(content, str(path), crc_check=True)
    np.testing.assert_array_equal(read_tensors(path)["w"], np.arange(6))
    damaged = path.read_bytes().replace(b"\0\0\x80?", b"\0\0\x81?")
    assert "checksum" in refusal(tmp_path / "b.ckpt", damaged)
    for mode in ("AES-GCM", "AES-CBC"):
        ms.save_checkpoint(content, str(path), enc_key=b"0123456789abcdef", enc_mode=mode)
        with pytest.raises(CheckpointError, match=f"is encrypted .{mode}."):
            read_tensors(path)


@given(st.binary(max_size=60), st.integers(0, 100))
@settings(max_examples=200)
def test_any_change_ends_in_arrays_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, part: bytes, at: int
) -> None:
    data = bytearray(value("encoder", [2, 2], "Float32", bytes(16)) + value("b", [3], "Float16", bytes(6)))
    data[at : at + len(part)] = part
    path = tmp_path_factory.mktemp("a") / "a.ckpt"
    path.write_bytes(data)
    try:
        assert all(array.size < 100 for array in read_tensors(path).values())
    except CheckpointError as error:
        assert "\n" not in str(error)
