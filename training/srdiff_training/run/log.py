"""A run's log: a CSV file and a plot of it."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any

from srdiff.atomic_files import atomic_file, cannot_write
from srdiff.errors import OutputError

COLUMNS = ("step", "loss", "gradient_norm", "learning_rate", "images_per_second", "psnr_y", "ssim_y")
LOG_NAME = "log.csv"
PLOT_NAME = "log.png"


class Log:
    """Rows by step.

    Args:
        folder: of the run.
        step: rows of later steps are dropped: the run goes on from here.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / LOG_NAME
        self.plot_path = folder / PLOT_NAME
        self.rows = [row for row in _read(self.path) if int(row["step"]) <= step]
        with atomic_file(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)

    def add(self, **values: Any) -> None:
        """Append a row, on disk at once; columns that are not given stay empty."""
        row = {name: _text(values.get(name)) for name in COLUMNS}
        self.rows.append(row)
        try:
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, COLUMNS).writerow(row)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def plot(self) -> None:
        """Draw the log, where matplotlib is installed and can: no run ends for its picture."""
        with suppress(Exception):
            self._plot()

    def _plot(self) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        steps, losses = self._curve("loss")
        axes.plot(steps, losses, color="tab:blue", linewidth=0.8, alpha=0.5)
        axes.plot(steps, _smooth(losses), color="tab:blue", label="loss (L1), and its running mean")
        axes.set_xlabel("step")
        axes.set_ylabel("loss", color="tab:blue")
        axes.grid(alpha=0.3)
        steps, scores = self._curve("psnr_y")
        if scores:
            right = axes.twinx()
            right.plot(steps, scores, "o-", color="tab:red", markersize=4)
            right.set_ylabel("validation PSNR-Y, dB", color="tab:red")
        with atomic_file(self.plot_path) as temporary:
            figure.savefig(temporary, dpi=120)

    def _curve(self, column: str) -> tuple[list[int], list[float]]:
        rows = [row for row in self.rows if row[column]]
        return [int(row["step"]) for row in rows], [float(row[column]) for row in rows]


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="") as file:
            whole = [row for row in csv.DictReader(file) if None not in row.values()]  # the last one may be cut
        rows = [{name: row.get(name) or "" for name in COLUMNS} for row in whole]
        return [row for row in rows if _is_of_numbers(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutputError(f"{path} is not a log that can be continued; move it away") from error


def _is_of_numbers(row: dict[str, str]) -> bool:
    try:
        int(row["step"])
        for text in row.values():
            float(text or 0)
    except ValueError:
        return False
    return True


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _smooth(values: list[float], weight: float = 0.9) -> list[float]:
    """Exponential running mean without a bias towards its beginning."""
    result, total, mean = [], 0.0, 0.0
    for value in values:
        total = weight * total + 1 - weight
        mean = weight * mean + (1 - weight) * value
        result.append(mean / total)
    return result
