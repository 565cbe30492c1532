"""A folder on a Ray cluster, with what came of it.

    pip install '.[cpu,ray]'
    python examples/ray_batch.py photos/ large/

Joins the cluster that this machine belongs to, or starts one of this machine alone.
"""

from __future__ import annotations

import argparse
from collections import Counter

import srdiff.ray
from srdiff.batch.recipe import Recipe
from srdiff.jobs.work import JobSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("large")
    parser.add_argument("--model", help="a bundle that every node has, or a built-in name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpus", type=int, default=1, help="of each worker")
    parser.add_argument("--gpus", type=float, default=0, help="of each worker; 0.5 lets two share one")
    parser.add_argument("--address", default="auto", help="of the cluster")
    options = parser.parse_args()

    device = "gpu" if options.gpus else "cpu"
    recipe = Recipe(JobSettings(seed=options.seed), model=options.model, device=device)
    pool = srdiff.ray.Pool(cpus=options.cpus, gpus=options.gpus)
    counts: Counter[str] = Counter()
    with srdiff.ray.connected(options.address):
        # Nothing has happened yet: the rows of a dataset are made while they are asked for.
        made = srdiff.ray.upscale(options.photos, options.large, recipe, pool)
        for row in made.iter_rows():
            counts[row["status"]] += 1
            print(row["error"] or f"{row['key']}: {row['status']}, {row['seconds']:.1f} s")
    print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
