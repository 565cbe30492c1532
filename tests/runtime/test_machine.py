"""CPUs and memory of a container, from made-up cgroup folders."""

from __future__ import annotations

import os

import pytest

from srdiff import machine


@pytest.fixture(autouse=True)
def eight_cpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [("max 100000", 8), ("150000 100000", 2), ("200000 100000", 2), ("1000 100000", 1), ("1600000 100000", 8), ("", 8)],
)
def test_quota_of_version_2(tmp_path, quota, cpus):
    (tmp_path / "cpu.max").write_text(quota)
    assert machine.usable_cpus(tmp_path) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("-1", 8), ("350000", 4)])
def test_quota_of_version_1(tmp_path, quota, cpus):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert machine.usable_cpus(tmp_path) == cpus


def test_without_a_quota_affinity_counts(tmp_path):
    assert machine.usable_cpus(tmp_path) == 8


def test_engines_take_the_container_share(monkeypatch):
    pytest.importorskip("openvino")
    from srdiff import engines

    monkeypatch.setattr(engines, "usable_cpus", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    engine = engines.open_engine("openvino", "cpu", "fp32")
    assert engine._config["INFERENCE_NUM_THREADS"] == "1"


@pytest.mark.parametrize("file", ["memory.max", "memory/memory.limit_in_bytes"])
def test_memory_limit(tmp_path, file):
    installed = machine.usable_memory(tmp_path)
    assert installed > 1 << 28
    (tmp_path / file).parent.mkdir(exist_ok=True)
    for written, expected in (("268435456", 1 << 28), ("max", installed), (str(2**63 - 4096), installed)):
        (tmp_path / file).write_text(written + "\n")
        assert machine.usable_memory(tmp_path) == expected
