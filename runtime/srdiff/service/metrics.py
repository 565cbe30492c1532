"""What Prometheus is told."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600)


class Metrics:
    """Of one service, in a registry of its own; ``process_resident_memory_bytes`` comes with it."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.waiting = Gauge("srdiff_waiting", "Jobs in the line", registry=registry)
        self.running = Gauge("srdiff_running", "Jobs that are being worked on", registry=registry)
        self.kept_bytes = Gauge("srdiff_results_kept_bytes", "Results that are kept", registry=registry)
        self.request_seconds = Histogram(
            "srdiff_request_seconds",
            "From the request's first byte to the answer's last",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.step_seconds = Histogram(
            "srdiff_step_seconds",
            "One run of the step graph on one window",
            ["model"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.job_seconds = Histogram(
            "srdiff_job_seconds", "Working on one job", ["model"], buckets=_SECONDS, registry=registry
        )
        self.freed_seconds = Histogram(
            "srdiff_freed_seconds",
            "From giving up a running job to its worker being free",
            buckets=_SECONDS,
            registry=registry,
        )
        self.pixels = Counter("srdiff_pixels", "Pixels of results", ["model"], registry=registry)
        self.results = Counter(
            "srdiff_results", "Results made, and those that were still kept", ["origin"], registry=registry
        )
        self.rejected = Counter("srdiff_rejected", "Requests that were refused", ["reason"], registry=registry)
        self.failed = Counter("srdiff_failed", "Jobs that came to nothing", ["reason"], registry=registry)
        self.cancelled = Counter("srdiff_cancelled", "Jobs given up", ["state"], registry=registry)

    def text(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        return generate_latest(self.registry), _TEXT
