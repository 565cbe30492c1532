# `make test-newest`: the tests of the runtime and the service with the newest version of each dependency, whatever
# tests/constraints.txt says, in a fresh environment. On Python 3.13: the newest versions of some need it.
PYTHON313 ?= $(shell python3.13 -c "import sys; print(sys.executable)" 2>/dev/null \
  || ls -d $(HOME)/.pyenv/versions/3.13.*/bin/python3.13 2>/dev/null | tail -n 1)
NEWEST := .venv-newest/bin

.PHONY: test-newest

test-newest:
	@if [ -z "$(PYTHON313)" ]; then \
	  echo "test-newest: skipped, there is no Python 3.13; install it or name it: make test-newest PYTHON313=/path/to/python3.13"; \
	else \
	  rm -rf .venv-newest && \
	  $(PYTHON313) -m venv .venv-newest && \
	  $(NEWEST)/pip install --quiet --no-compile --editable '.[cpu,serve,video,heif,cloud,embed,test]' && \
	  $(NEWEST)/python -m pytest tests/runtime tests/service -m "not slow"; \
	fi
