"""What this process may use of the machine: inside a container that is less than the machine has."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """CPUs by affinity and by the container's quota (cgroup v2 and v1), rounded up, at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, period = (_words(cgroup / "cpu.max") + ["", ""])[:2]  # v2: "max 100000" or "150000 100000"
    if not quota:
        quota = "".join(_words(cgroup / "cpu" / "cpu.cfs_quota_us"))  # v1: -1 is no quota
        period = "".join(_words(cgroup / "cpu" / "cpu.cfs_period_us"))
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return affinity
    return max(1, min(affinity, -(-int(quota) // int(period))))


def available_memory(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> int | None:
    """Bytes that can still be allocated, by the machine and by the container's limit; None where neither tells."""
    found = []
    for line in meminfo.read_text().splitlines() if meminfo.is_file() else []:
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            found.append(int(value.split()[0]) * 1024)
    for limit, used in (
        (cgroup / "memory.max", cgroup / "memory.current"),
        (cgroup / "memory" / "memory.limit_in_bytes", cgroup / "memory" / "memory.usage_in_bytes"),
    ):
        numbers = ["".join(_words(file)) for file in (limit, used)]
        if all(number.isdecimal() for number in numbers):
            found.append(max(int(numbers[0]) - int(numbers[1]), 0))
    return min(found, default=None)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
