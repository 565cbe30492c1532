"""What of the machine this process may use: inside a container less than there is."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
UNKNOWN_MEMORY = 8 << 30  # on systems that do not say


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


def threads_of_each(workers: int, threads: int | None) -> int | None:
    """CPU threads of each of so many workers: as given, or an equal share; None leaves all of them to a single one."""
    return threads or (max(1, usable_cpus() // workers) if workers > 1 else None)


def usable_memory(cgroup: Path = CGROUP) -> int:
    """Bytes of main memory, or of the container's limit (cgroup v2 and v1) where that is less."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else UNKNOWN_MEMORY
    limits = [*_words(cgroup / "memory.max"), *_words(cgroup / "memory" / "memory.limit_in_bytes")]
    return min([installed, *(int(limit) for limit in limits if limit.isdecimal())])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
