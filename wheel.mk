# `make wheel` builds what is published; `make test-wheel` checks it and makes a picture with it, in a fresh environment
# of every Python that is at hand. Python 3.7 and 3.8 cannot build it, so they install it.
BUILD := .venv-build/bin
PYTHONS ?= 3.7 3.8 3.9 3.11 3.12 3.13

.PHONY: wheel test-wheel

.venv-build:
	$(PYTHON) -m venv .venv-build
	$(BUILD)/pip install --quiet build twine check-wheel-contents

wheel: .venv-build  ## dist/: a wheel and a source archive
	rm -rf dist build build.log
	$(BUILD)/python -m build --outdir dist . > /dev/null 2> build.log || { cat build.log; exit 1; }

test-wheel: wheel
	$(BUILD)/twine check --strict dist/*
	$(BUILD)/check-wheel-contents dist/*.whl
	PYTHONS="$(PYTHONS)" bash tests/wheel/first_picture.sh dist/*.whl
