"""What PNG says about colour without a profile (gAMA with cHRM, or cICP), as a profile for formats that have only that.

The numbers of cICP are those of ITU-T H.273; a profile is ICC.1:2010, a matrix and a parametric curve.
"""

from __future__ import annotations

import struct
from typing import Sequence

import numpy as np

from .photo import Photo

# x and y of white, red, green and blue.
_D65 = (0.3127, 0.3290)
_BT709 = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_SMPTE170M = (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)
_PRIMARIES = {
    1: _BT709,
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: _SMPTE170M,
    7: _SMPTE170M,
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
# Light is (a v + b) ** g from v = d on, c v below: g, a, b, c, d.
_BT709_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES: dict[int, tuple[float, ...]] = {
    **dict.fromkeys((1, 6, 14, 15), _BT709_CURVE),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
    13: (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
}
_D50 = (0.9642, 1.0, 0.8249)  # XYZ of the white that profiles are relative to
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile_of(photo: Photo, grey: bool) -> bytes | None:
    """The photo's ICC profile, or one that says what its gAMA and cHRM or its cICP say.

    None where there is nothing of it, and for the transfer functions of HDR (PQ, HLG), which no such profile holds.

    Args:
        photo: the photo.
        grey: whether the samples are stored as one channel.
    """
    if photo.cicp is not None:
        primaries, transfer, matrix, full = photo.cicp
        if (matrix, full) == (0, 1) and primaries in _PRIMARIES and transfer in _CURVES:
            return _profile(_PRIMARIES[primaries], _CURVES[transfer], grey)
    elif photo.icc_profile is None and photo.gamma is not None:
        return _profile(photo.chromaticity or _BT709, (1 / photo.gamma,), grey)
    return photo.icc_profile


def _profile(primaries: Sequence[float], curve: Sequence[float], grey: bool) -> bytes | None:
    """None for primaries that span no colours."""
    with np.errstate(all="ignore"):
        try:
            columns, adaptation = _matrices(primaries)
        except np.linalg.LinAlgError:
            return None
    if not np.isfinite(columns).all() or np.abs(columns).max() > 30_000:
        return None
    kind = 0 if len(curve) == 1 else 3
    parametric = b"para" + struct.pack(">IHH", 0, kind, 0) + _fixed(curve)
    tags = {b"desc": _text("The colours of the PNG"), b"cprt": _text("No copyright"), b"wtpt": _xyz(_D50)}
    if grey:
        tags[b"kTRC"] = parametric
    else:
        tags[b"chad"] = b"sf32" + bytes(4) + _fixed(adaptation.ravel())
        for name, column in zip((b"r", b"g", b"b"), columns.T):
            tags[name + b"XYZ"], tags[name + b"TRC"] = _xyz(column), parametric
    return _assembled(tags, b"GRAY" if grey else b"RGB ")


def _matrices(primaries: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Light of the three channels to XYZ under D50, and the Bradford adaptation that is in it."""
    x, y = np.reshape(primaries, (4, 2)).T.astype(np.float64)
    white, *_ = xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y], axis=1)
    channels = xyz[1:].T
    scaled = channels * np.linalg.solve(channels, white)
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adaptation = np.linalg.solve(_BRADFORD, cones[:, None] * _BRADFORD)
    return adaptation @ scaled, adaptation


def _assembled(tags: dict[bytes, bytes], space: bytes) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    date = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)  # the same for all, so that the same input gives the same bytes
    head = struct.pack(">I4sI4s4s4s", offset + len(body), bytes(4), 0x04200000, b"mntr", space, b"XYZ ")
    head += date + b"acsp" + bytes(28) + _fixed(_D50)
    return head + bytes(128 - len(head)) + table + body


def _fixed(values: Sequence[float] | np.ndarray) -> bytes:
    """s15Fixed16Numbers."""
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _xyz(values: Sequence[float] | np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _text(words: str) -> bytes:
    encoded = words.encode("utf-16-be")
    return b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(encoded), 28) + encoded
