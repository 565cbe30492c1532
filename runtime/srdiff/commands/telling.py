"""What ``srdiff-run`` says: a bar while it runs, a line for each image, a sum at the end."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import contextmanager
from typing import Iterable, Iterator

from tqdm import tqdm

from ..batch.ledger import Ledger
from ..batch.verify import VERIFIED
from ..errors import OutputError, SRDiffError
from ..jobs.sources import Found
from ..jobs.targets import Job, finished
from ..jobs.work import DONE, FAILED, SKIPPED, JobSettings, Outcome
from ..manifest import Manifest
from ..progress import Pace, Progress, Watch
from ..standard_streams import output_bytes
from ..upscaler import Upscaler
from .command import say_error
from .saying import Report, say, tell, visible

# Of a job whose time is told when it begins.
LONG_SECONDS = 60
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} steps [{elapsed}{postfix}]"


class Teller:
    """Speaks on standard error, and JSON lines on standard output where they are wanted.

    Args:
        settings: of the run.
        manifest: of its model.
        jobs: how many there are.
        quiet: say errors only.
        as_json: write one JSON line per image.
    """

    def __init__(self, settings: JobSettings, manifest: Manifest, jobs: int, quiet: bool, as_json: bool) -> None:
        self._settings = settings
        self._manifest = manifest
        self._jobs = jobs
        self._quiet = quiet
        self._as_json = as_json
        if as_json:
            output_bytes()

    def found(self, found: Found, recursive: bool) -> None:
        """What of the inputs is not read, and why."""
        for why, paths in (("results of other inputs", found.results), ("they cannot be looked into", found.closed)):
            if paths:
                self._say(f"left out, as {why}: {paths[0]}{f' and {len(paths) - 1} more' * (len(paths) > 1)}")
        if found.left_out:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.left_out.items()))
            advice = " (--recursive takes folders)" if found.left_out["folder"] and not recursive else ""
            self._say(f"left out, as they are not read: {kinds}{advice}")

    def planned(self, job: Job) -> None:
        """A line of a dry run."""
        if job.problem is not None:
            say_error(job.problem)
            return
        for target in self._settings.wanted.targets(job.target):
            try:
                there = target is not None and finished(target) and not self._settings.overwrite
            except OutputError as error:  # this name cannot be one; the others may
                say_error(error)
                return
            tell(f"{job.source.name} -> {target or 'standard output'}{' (exists; kept)' if there else ''}")

    @contextmanager
    def watching(self, job: Job) -> Iterator[Watch]:
        """A bar of a job's steps; a long job's time is told after its first one, where there is no bar, too."""
        name = visible(job.source.path.name if job.source.path else job.source.name)
        pace = Pace()
        with tqdm(desc=name, bar_format=BAR, disable=True if self._quiet else None, leave=False) as bar:

            def show(progress: Progress) -> None:
                left, size = pace.left(progress), f"{progress.pixels / 1e6:.1f} megapixels"
                if progress.done == 1 and left >= LONG_SECONDS:
                    with tqdm.external_write_mode(file=sys.stderr):
                        self._say(f"{name}: {size} in {progress.total} steps, about {roughly(left)}")
                bar.total = progress.total
                bar.set_description_str(f"{name}, {size}", refresh=False)
                bar.set_postfix_str(f"{tqdm.format_interval(left)} left", refresh=False)
                bar.update(progress.done - bar.n)

            yield show

    def how(self, upscaler: Upscaler | None) -> str:
        """What an image was made with; None is a worker elsewhere."""
        engine = None if upscaler is None else upscaler.engine
        where = "Ray" if engine is None else f"{engine.name} {engine.device} {engine.precision}"
        sampling = self._manifest.sampling_label(self._settings.sampler or self._manifest.sampler())
        return f"{where}, {sampling}, seed {self._settings.seed}"

    def workers(self, said: str) -> None:
        """How many images are made at a time, and why."""
        self._say(f"workers: {said}")

    def came_out(self, outcomes: Iterable[tuple[Outcome, str]], ledger: Ledger | None = None) -> None:
        """Tell each outcome as it comes, and where they are written down; leave with the worst failure's exit code."""
        counts: Counter[str] = Counter()
        worst = 0
        alone: SRDiffError | None = None
        report = Report()
        for outcome, how in outcomes:
            counts[outcome.status] += 1
            if self._as_json:
                report.tell(json.dumps(self._as_record(outcome, how)))
            if outcome.error is None:
                self._tell(outcome, how)
            elif self._jobs == 1:
                alone = outcome.error
            else:
                say_error(outcome.error)
                worst = max(worst, outcome.error.exit_code)
        if ledger is not None:
            torn = f" ({ledger.torn} damaged lines in it were passed over)" if ledger.torn else ""
            self._say(f"ledger: {ledger.path}{torn}")
        if alone is not None:
            raise alone
        if self._jobs != 1 or counts[VERIFIED]:
            made = f"{counts[DONE]} enlarged, {counts[SKIPPED]} skipped"
            self._say(f"{f'{counts[VERIFIED]} verified' if counts[VERIFIED] else made}, {counts[FAILED]} failed")
        report.end()
        if worst:
            sys.exit(worst)

    def _tell(self, outcome: Outcome, how: str) -> None:
        for kept in outcome.kept if outcome.status != VERIFIED else ():
            done = "skipped" if outcome.status == SKIPPED else "kept"
            note = f", {outcome.note}" if outcome.note else ""
            self._say(f"{kept} exists{note}; {done} (--overwrite replaces it)")
        if outcome.size is not None:
            written = ", ".join(map(str, outcome.written)) or "standard output"
            shrunk = "" if self._settings.scale is None and self._settings.size is None else " (shrunk)"
            width, height = outcome.size
            self._say(f"{written}: {width}x{height}{shrunk}, {how}, {outcome.seconds:.1f} s")
        if outcome.frames > 1 and outcome.job.source.frame is None:
            self._say(
                f"{outcome.job.source.name}: this is the first of {outcome.frames} frames (--all-frames takes all)"
            )
        if outcome.unkept:
            self._say(f"not kept in {outcome.job.format}: {', '.join(outcome.unkept)}")

    def _as_record(self, outcome: Outcome, how: str) -> dict[str, object]:
        return {
            "input": outcome.job.source.name,
            "status": outcome.status,
            "written": [str(path) for path in outcome.written],
            "kept": [str(path) for path in outcome.kept],
            "unkept": outcome.unkept,
            "frame": outcome.job.source.frame,
            "frames": outcome.frames,
            "size": outcome.size,
            "seconds": round(outcome.seconds, 3),
            "how": how,
            "error": None if outcome.error is None else str(outcome.error),
        }

    def _say(self, line: str) -> None:
        if not self._quiet:
            say(line)


def roughly(seconds: float) -> str:
    """A time to wait for, in the unit that suits it."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
