# Two commands for everybody: `make demo` shows what this does, `make test` is what a change must pass.
.DEFAULT_GOAL := test
PYTHON ?= python3
DEMO := .venv-demo/bin
TEST := .venv-test/bin

include lite.mk
include lowest.mk
include newest.mk
include wheel.mk
include docs.mk
include web.mk
include ray.mk

.PHONY: demo test test-all test-training test-export test-engines test-others test-runtime fuzz lint format clean

demo:  ## fresh environment, only the runtime, one photo
	rm -rf .venv-demo demo_out
	$(PYTHON) -m venv .venv-demo
	$(DEMO)/pip install --quiet '.[cpu]'
	$(DEMO)/srdiff-run examples/astronaut.png -o demo_out/astronaut_x4.png
	@echo "Look at demo_out/astronaut_x4.png beside examples/astronaut.png."

# Of the modules in the tests' environments those are compiled that are imported.
.venv-test/made: pyproject.toml tests/constraints.txt
	rm -rf .venv-test
	$(PYTHON) -m venv .venv-test
	$(TEST)/pip install --quiet --no-compile --constraint tests/constraints.txt --editable '.[cpu,export,train,torch,bench,heif,serve,video,cloud,embed,test,web,docs,dev]'
	touch $@

# Two at a time, the longest first.
PARTS := test-training test-engines test-others test-export

test: clean .venv-test/made lint  ## fresh environment, lint, types, tests
	$(MAKE) --jobs 2 --output-sync $(PARTS)

test-all: clean .venv-test/made  ## the same, and what needs Python 3.7, Ray or a browser
	$(MAKE) --jobs 2 --output-sync lint .venv-ray/made
	$(MAKE) --jobs 2 --output-sync test-lite $(PARTS) test-ray test-web

# In a process of its own: with other engines' libraries loaded, MindSpore's data pipeline may crash.
test-training:
	$(TEST)/python -m pytest tests/training

test-export:
	$(TEST)/python -m pytest tests/export

test-engines:
	$(TEST)/python -m pytest tests/runtime

test-others:
	$(TEST)/python -m pytest --ignore tests/training --ignore tests/export --ignore tests/runtime --ignore tests/web

test-runtime:  ## in the Python that is active, the runtime alone: what other Pythons and systems are tested with
	$(PYTHON) -m pip install --quiet '.[cpu,test]'
	$(PYTHON) -m pytest tests/runtime

fuzz: .venv-test/made  ## mutated files by the thousand; the tests run the first of them
	$(TEST)/python -m tests.fuzz.pictures
	$(TEST)/python -m tests.fuzz.bundles
	$(TEST)/python -m tests.fuzz.checkpoints

lint: .venv-test/made
	$(TEST)/ruff check .
	$(TEST)/ruff format --check .
	$(TEST)/mypy

format: .venv-test/made
	$(TEST)/ruff check --fix .
	$(TEST)/ruff format .

clean:
	rm -rf .venv-test
