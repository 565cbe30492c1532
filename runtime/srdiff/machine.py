"""How many CPUs this process may use: inside a container fewer than the machine has."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """CPUs by affinity and by the container's quota (cgroup v2 and v1), rounded up, at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, period = [*_words(cgroup / "cpu.max"), "", ""][:2]  # v2: "max 100000" or "150000 100000"
    if not quota:
        quota = "".join(_words(cgroup / "cpu" / "cpu.cfs_quota_us"))  # v1: -1 is no quota
        period = "".join(_words(cgroup / "cpu" / "cpu.cfs_period_us"))
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return affinity
    return max(1, min(affinity, -(-int(quota) // int(period))))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
