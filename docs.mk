# `make docs`: the documentation as pages in docs/_build; a warning fails. `make figures` draws its pictures anew.
DOCS := .venv-docs/bin

.PHONY: docs figures

.venv-docs/made: pyproject.toml
	rm -rf .venv-docs
	$(PYTHON) -m venv .venv-docs
	$(DOCS)/pip install --quiet --editable '.[cpu,docs]'
	touch $@

docs: .venv-docs/made
	$(DOCS)/sphinx-build -W --keep-going -q -b html docs docs/_build

figures: .venv-docs/made
	$(DOCS)/python docs/draw_figures.py
