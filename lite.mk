# `make test-lite`: MindSpore and MindSpore Lite 2.0.0, the pair whose MindIR fits, which needs Python 3.7.
PYTHON37 ?= python3.7
LITE := .venv-lite/bin

.PHONY: test-lite

.venv-lite: pyproject.toml tests/lite/constraints.txt
	rm -rf .venv-lite
	$(PYTHON37) -m venv .venv-lite
	$(LITE)/pip install --quiet --upgrade 'pip<24.1' 'setuptools<69' wheel
	$(LITE)/pip install --quiet --constraint tests/lite/constraints.txt '.[train,lite,test]'
	touch .venv-lite

test-lite:  ## fresh checkpoints to MindIR and through MindSpore Lite on the CPU; nothing to do without Python 3.7
	@if ! command -v $(PYTHON37) >/dev/null; then \
	  echo "test-lite: skipped, there is no $(PYTHON37); install Python 3.7 or name it: make test-lite PYTHON37=/path/to/python3.7"; \
	else \
	  $(MAKE) --no-print-directory .venv-lite && \
	  $(LITE)/pip install --quiet --no-deps --force-reinstall . && \
	  $(LITE)/python -m pytest tests/lite; \
	fi
