"""Which CPU it is, from what Linux says of several, and what precision follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from srdiff.cpu import Cpu, this_cpu

AVX512 = "fpu sse2 avx2 avx512f"
RECORD = """processor\t: 0
vendor_id\t: {vendor}
cpu family\t: {family}
model\t\t: {model}
model name\t: {name}
cache size\t: 2048 KB
flags\t\t: {flags}
bugs\t\t:

processor\t: 1
flags\t\t: of another
"""


def written(folder: Path, **of: str) -> Path:
    file = folder / "cpuinfo"
    file.write_text(RECORD.format(**of), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("vendor", "flags", "slower"),
    [
        ("GenuineIntel", f"{AVX512} avx512_bf16 avx512_fp16", True),  # Sapphire Rapids, its AMX hidden
        ("GenuineIntel", f"{AVX512} avx512_bf16 avx512_fp16 amx_bf16 amx_tile", False),
        ("GenuineIntel", f"{AVX512} avx512_bf16", False),  # Cooper Lake
        ("AuthenticAMD", f"{AVX512} avx512_bf16", False),  # Zen 4
        ("AuthenticAMD", f"{AVX512} avx512_bf16 avx512_fp16", False),
        ("GenuineIntel", "fpu sse2 avx2", False),
    ],
)
def test_where_bf16_is_slower(tmp_path: Path, vendor: str, flags: str, slower: bool) -> None:
    cpu = this_cpu(written(tmp_path, vendor=vendor, family="6", model="143", name="A CPU", flags=flags))
    assert cpu.is_slower_in_bf16 is slower


def test_what_is_said_of_it(tmp_path: Path) -> None:
    file = written(
        tmp_path, vendor="AuthenticAMD", family="25", model="17", name="AMD EPYC", flags=f"{AVX512} avx512_bf16"
    )
    assert str(this_cpu(file)) == "AMD EPYC (family 25, model 17) with AVX2, AVX-512, AVX512-BF16, without AMX"


def test_nothing_is_known_without_the_file(tmp_path: Path) -> None:
    cpu = this_cpu(tmp_path / "none")
    assert cpu == Cpu() and str(cpu) and not cpu.is_slower_in_bf16


@pytest.mark.parametrize(("flags", "precision"), [("avx512_fp16", "fp32"), ("avx512_fp16 amx_bf16", "bf16")])
def test_auto_takes_the_faster_precision(monkeypatch: pytest.MonkeyPatch, flags: str, precision: str) -> None:
    pytest.importorskip("openvino")
    from srdiff.engines import openvino_engine

    monkeypatch.setattr(openvino_engine, "_native_half_types", lambda core: ["bf16", "fp16"])
    monkeypatch.setattr(openvino_engine, "this_cpu", lambda: Cpu(vendor="GenuineIntel", flags=frozenset(flags.split())))
    assert openvino_engine.open_engine("cpu", "auto", None, {}).precision == precision
    assert openvino_engine.open_engine("cpu", "bf16", None, {}).precision == "bf16"
