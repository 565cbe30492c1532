"""Imports go one way, export -> training -> runtime, without a circle; a graph's keys stand in one file."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator

from srdiff.graph_io import ENCODER, FIDELITY, INPUTS, LR, LR_UP, NOISE, OUTPUTS, STEP, X0, X

ROOT = Path(__file__).parents[1]
PARTS = {
    "srdiff": ROOT / "runtime" / "srdiff",
    "srdiff_training": ROOT / "training" / "srdiff_training",
    "srdiff_export": ROOT / "export" / "srdiff_export",
}
MAY_IMPORT = {
    "srdiff": {"srdiff"},
    "srdiff_training": {"srdiff", "srdiff_training"},
    "srdiff_export": {"srdiff", "srdiff_training", "srdiff_export"},
}


def modules() -> dict[str, Path]:
    """Every module of the product by its full name; a package is its ``__init__``."""
    found = {}
    for part, folder in PARTS.items():
        for file in folder.rglob("*.py"):
            words = [part, *file.relative_to(folder).with_suffix("").parts]
            found[".".join(words[:-1] if words[-1] == "__init__" else words)] = file
    return found


def imported(name: str, file: Path, known: dict[str, Path], everywhere: bool) -> Iterator[str]:
    """Modules of the product that a module imports: when it is loaded, or anywhere in it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(tree) if everywhere else _loaded(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{source}.{alias.name}"
                if full in known or source in known:
                    yield full if full in known else source


def _loaded(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run on import: not those of functions, nor those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _loaded(node)


def test_imports_go_one_way() -> None:
    known = modules()
    assert len(known) > 100
    for name, file in known.items():
        part = name.split(".")[0]
        wrong = {other for other in imported(name, file, known, True) if other.split(".")[0] not in MAY_IMPORT[part]}
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_no_circle() -> None:
    known = modules()
    edges = {name: set(imported(name, file, known, False)) - {name} for name, file in known.items()}
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, [*way, name])
            done.add(name)

    for name in known:
        visit(name, [])


def test_the_graphs_keys_stand_in_one_file() -> None:
    names = {name for graph in (ENCODER, STEP) for name in (*INPUTS[graph], *OUTPUTS[graph])}
    names -= {LR, LR_UP, X, X0, NOISE, FIDELITY}  # words that mean other things, too
    keys = re.compile(rf"""["']({"|".join(names)})["']""")
    files = {file.name for file in modules().values() if keys.search(file.read_text(encoding="utf-8"))}
    assert files == {"graph_io.py"}
