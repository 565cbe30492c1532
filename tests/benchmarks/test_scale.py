"""The simulation of a very large batch, where its answer is known."""

from __future__ import annotations

import pytest
from scale import Cluster, simulate


def test_few_workers_are_the_limit() -> None:
    rate, busy = simulate(Cluster(2.0, spread=0.0), workers=4, images=8000)
    assert rate == pytest.approx(2.0, rel=0.01) and busy["workers"] > 0.99


@pytest.mark.parametrize(
    ("part", "limit"),
    [
        ("scheduler", Cluster(1.0, blocks_per_second=10.0)),
        ("requests", Cluster(1.0, requests_per_second=160.0)),
        ("bytes", Cluster(1.0, bytes_per_second=80e6, image_bytes=1e6)),
        ("ledger", Cluster(1.0, lines_per_second=160.0)),
    ],
)
def test_each_shared_part_can_be_the_limit(part: str, limit: Cluster) -> None:
    """Each of these takes 80 images a second, and 1,000 workers could make 1,000."""
    rate, busy = simulate(limit, workers=1000, images=40_000)
    assert rate == pytest.approx(80.0, rel=0.05) and busy[part] > 0.95
    assert all(share < 0.5 for name, share in busy.items() if name != part)
