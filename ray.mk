# `make test-ray`: a cluster of three nodes on this machine. In an environment of its own: Ray's data library needs
# NumPy 2, and MindSpore needs NumPy 1.
RAY := .venv-ray/bin

.PHONY: test-ray

.venv-ray/made: pyproject.toml tests/ray/constraints.txt
	rm -rf .venv-ray
	$(PYTHON) -m venv .venv-ray
	$(RAY)/pip install --quiet --no-compile --constraint tests/ray/constraints.txt --editable '.[cpu,ray,cloud,test]' 'ray[serve]'
	touch $@

test-ray: .venv-ray/made
	$(RAY)/python -m pytest tests/ray
