"""The report as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from grading.pictures import gallery
from grading.plots import quality_plots
from grading.report import VERDICT_HEAD, Report, cells, head, verdict_cells
from grading.results import Store

TEMPLATE = "page.html.j2"


def html(report: Report, store: Store, scale: int) -> str:
    """The page; results' pixels come from the store."""
    environment = Environment(
        loader=FileSystemLoader(str(Path(__file__).parent)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = []
    for data, rows in report.tables:
        sections.append(
            {
                "name": data.name,
                "rows": [cells(row) for row in rows],
                "plots": [Markup(svg) for svg in quality_plots(rows)],
                "galleries": [gallery(data.name, pair, rows, store, scale) for pair in data.pairs],
            }
        )
    verdicts: list[tuple[bool, list[str]]] = [
        (not verdict.reasons, verdict_cells(verdict)) for verdict in report.verdicts or []
    ]
    return environment.get_template(TEMPLATE).render(
        report=report, head=head(), sections=sections, verdict_head=VERDICT_HEAD, verdicts=verdicts
    )
