"""What a file is that is no checkpoint, by how it begins: people give what lies beside the right one."""

from __future__ import annotations

import re

_CHECKPOINT = "give the checkpoint that training wrote, of MindSpore or PyTorch"
# (how it begins, what it is and what to do)
_KINDS = (
    (rb"version https://git-lfs", "is Git LFS's note of a file, not the file; fetch it with: git lfs pull"),
    (rb"\s*<(!doctype|html|\?xml)", "is a web page, as a failed download leaves it; download the file again"),
    (rb"\x08[\x01-\x20][\x12\x1a\x3a\x42]", f"is an ONNX graph; {_CHECKPOINT}, or the bundle with --bundle"),
    (rb"\n.[\d.]{3,9}\x12.MindSpore", f"is a MindIR graph; {_CHECKPOINT}"),
    (rb"\x89HDF", f"is an HDF5 file, of Keras or MATLAB; {_CHECKPOINT}"),
    (rb"GGUF", f"is a GGUF file, of language models; {_CHECKPOINT}"),
    (rb"\x93NUMPY", f"is one NumPy array; {_CHECKPOINT}"),
    (rb"\x89PNG|\xff\xd8\xff|RIFF....WEBP|II\*\0|MM\0\*", f"is a picture; {_CHECKPOINT}"),
    (rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "is a compressed archive; unpack it first"),
    (rb".{257}ustar", "is a tar archive, as torch wrote before version 0.4; save it again with a newer torch"),
)
HEAD = 512  # bytes to look at


def foreign_kind(head: bytes) -> str | None:
    """For the first bytes of a file, the sentence's end behind its name; None where nothing here knows it."""
    for start, said in _KINDS:
        if re.match(start, head, re.DOTALL | re.IGNORECASE):
            return said
    return None
