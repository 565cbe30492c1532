"""The report as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from grading.pictures import gallery
from grading.plots import quality_plots
from grading.report import (
    VERDICT_HEAD,
    Document,
    QualityReport,
    cells,
    conditions,
    head,
    omissions,
    verdict_cells,
)
from grading.results import Store

TEMPLATE = "page.html.j2"


def html(report: QualityReport, document: Document, store: Store) -> str:
    """The page of a report and of its JSON; results' pixels come from the store."""
    environment = Environment(
        loader=FileSystemLoader(str(Path(__file__).parent)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = []
    for (data, found), entry in zip(report.tables, document["tables"]):
        sections.append(
            {
                "name": data.name,
                "head": head(entry),
                "rows": cells(entry),
                "plots": [Markup(svg) for svg in quality_plots(found)],
                "galleries": [gallery(data.name, pair, found, store, report.scale) for pair in data.pairs],
            }
        )
    return environment.get_template(TEMPLATE).render(
        report=report,
        notes=[conditions(document), *omissions(document)],
        sections=sections,
        verdict_head=VERDICT_HEAD,
        verdicts=[(not verdict["missed"], verdict_cells(verdict)) for verdict in document["gate"] or []],
    )
