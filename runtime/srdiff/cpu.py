"""Which CPU this is and how it multiplies, as far as Linux tells."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass, field
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# What decides how fast a CPU multiplies matrices, and Linux' names for it.
INSTRUCTIONS = {"AVX2": "avx2", "AVX-512": "avx512f", "AVX512-BF16": "avx512_bf16", "AMX": "amx_tile"}
# One processor's record is shorter; on a machine of hundreds all of them take long to read.
_RECORD = 1 << 14


@dataclass(frozen=True)
class Cpu:
    """What tells one CPU from another.

    Attributes:
        vendor: as ``GenuineIntel``; empty where it is not known.
        name: as the vendor calls it.
        model: family and model, or empty.
        flags: Linux' names of what it can do; empty where they are not known.
    """

    vendor: str = ""
    name: str = ""
    model: str = ""
    flags: frozenset[str] = field(default_factory=frozenset)

    def __str__(self) -> str:
        """Its name, and which of the instructions that count here it has."""
        name = self.name or platform.processor() or "an unknown CPU"
        if not self.flags:
            return name
        has = [instruction for instruction, flag in INSTRUCTIONS.items() if flag in self.flags]
        lacks = [instruction for instruction in INSTRUCTIONS if instruction not in has]
        parts = [f"with {', '.join(has)}" if has else "", f"without {', '.join(lacks)}" if lacks else ""]
        return f"{name}{f' ({self.model})' if self.model else ''} " + ", ".join(filter(None, parts))

    @property
    def is_slower_in_bf16(self) -> bool:
        """Whether products of bf16 take longer than those of float32.

        Since Sapphire Rapids Intel's CPUs multiply bf16 in AMX, and the instruction of AVX512-BF16 is left with half of
        float32's rate (measured: 1.4 in place of 5.6 per ns, of twice the numbers). Virtual machines may hide AMX.
        """
        since_sapphire_rapids = self.vendor == "GenuineIntel" and "avx512_fp16" in self.flags
        return since_sapphire_rapids and "amx_bf16" not in self.flags


def this_cpu(file: Path = CPUINFO) -> Cpu:
    """The first of the machine's; nothing is known of it where there is no such file."""
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            record = stream.read(_RECORD).partition("\n\n")[0]
    except OSError:
        return Cpu()
    found = dict(re.findall(r"^([\w ]+?)\s*: *(.*)$", record, re.MULTILINE))
    numbers = [f"{word} {found[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if key in found]
    return Cpu(
        found.get("vendor_id", ""),
        found.get("model name", "").strip(),
        ", ".join(numbers),
        frozenset(found.get("flags", "").split()),
    )
