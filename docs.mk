# `make docs`: the documentation as pages in docs/_build; a warning fails. `make figures` draws its pictures anew.
DOCS := .venv-docs/bin

.PHONY: docs figures

.venv-docs: pyproject.toml
	rm -rf .venv-docs
	$(PYTHON) -m venv .venv-docs
	$(DOCS)/pip install --quiet --editable '.[cpu,docs]'
	touch .venv-docs

docs: .venv-docs
	$(DOCS)/sphinx-build -W --keep-going -q -b html docs docs/_build

figures: .venv-docs
	$(DOCS)/python docs/draw_figures.py
