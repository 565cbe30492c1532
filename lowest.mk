# `make test-lowest`: the runtime's tests with the oldest version of each dependency that pyproject.toml allows. On
# Python 3.9: the oldest that build this project, and newer ones have no wheels of these versions.
PYTHON39 ?= $(shell python3.9 -c "import sys; print(sys.executable)" 2>/dev/null \
  || ls -d $(HOME)/.pyenv/versions/3.9.*/bin/python3.9 2>/dev/null | tail -n 1)
LOWEST := .venv-lowest/bin

.PHONY: test-lowest

.venv-lowest/made: pyproject.toml
	rm -rf .venv-lowest
	$(PYTHON39) -m venv .venv-lowest
	$(LOWEST)/pip install --quiet uv
	$(LOWEST)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct --editable '.[cpu,heif,test]'
	touch $@

test-lowest:
	@if [ -z "$(PYTHON39)" ]; then \
	  echo "test-lowest: skipped, there is no Python 3.9; install it or name it: make test-lowest PYTHON39=/path/to/python3.9"; \
	else \
	  $(MAKE) --no-print-directory .venv-lowest/made && \
	  $(LOWEST)/python -m pytest tests/runtime -m "not slow"; \
	fi
