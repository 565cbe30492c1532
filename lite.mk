# `make test-lite`: MindSpore and MindSpore Lite 2.0.0, the pair whose MindIR fits, which needs Python 3.7.
# A version manager's python3.7 may be a name without a Python behind it, so it has to run.
PYTHON37 ?= $(shell python3.7 -c "import sys; print(sys.executable)" 2>/dev/null \
  || ls -d $(HOME)/.pyenv/versions/3.7.*/bin/python3.7 2>/dev/null | tail -n 1)
LITE := .venv-lite/bin

.PHONY: test-lite

.venv-lite/made: pyproject.toml tests/lite/constraints.txt | wheel
	rm -rf .venv-lite
	$(PYTHON37) -m venv .venv-lite
	$(LITE)/pip install --quiet --upgrade 'pip<24.1'
	$(LITE)/pip install --quiet --no-compile --constraint tests/lite/constraints.txt "$$(ls dist/*.whl)[train,lite,test]"
	touch $@

test-lite:  ## fresh checkpoints to MindIR and through MindSpore Lite on the CPU; nothing to do without Python 3.7
	@if [ -z "$(PYTHON37)" ]; then \
	  echo "test-lite: skipped, there is no Python 3.7; install it or name it: make test-lite PYTHON37=/path/to/python3.7"; \
	else \
	  $(MAKE) --no-print-directory wheel .venv-lite/made && \
	  $(LITE)/pip install --quiet --no-deps --force-reinstall dist/*.whl && \
	  $(LITE)/python -m pytest tests/lite; \
	fi
