# `make wheel` builds what is published and checks it; `make test-wheel` makes a picture with it, in a fresh environment
# of every Python that is at hand. Python 3.7 and 3.8 cannot build it, so they install it.
# `make sbom` lists what an installation of it brings, as CycloneDX. `make man` writes a manual page of every command and
# subcommand into man/, from its --help; the wheel holds them, and `pip install .` in a clone takes them where they are.
BUILD := .venv-build/bin
PYTHONS ?= 3.7 3.8 3.9 3.11 3.12 3.13

.PHONY: man wheel test-wheel sbom release-check

.venv-build/made: pyproject.toml
	rm -rf .venv-build
	$(PYTHON) -m venv .venv-build
	$(BUILD)/pip install --quiet build twine check-wheel-contents cyclonedx-bom click-man --editable .
	touch $@

man: .venv-build/made
	rm -rf man
	for command in $$(sed -n 's/^\(srdiff-[a-z]*\) = .*/\1/p' pyproject.toml); do \
	  $(BUILD)/click-man --target man "$$command" > /dev/null || exit 1; \
	done

wheel: man  ## dist/: a wheel and a source archive
	rm -rf dist build build.log
	$(BUILD)/python -m build --outdir dist . > /dev/null 2> build.log || { cat build.log; exit 1; }
	$(BUILD)/twine check --strict dist/*
	$(BUILD)/check-wheel-contents dist/*.whl

test-wheel: wheel
	PYTHONS="$(PYTHONS)" bash tests/wheel/first_picture.sh dist/*.whl

sbom: wheel  ## sbom.cdx.json
	rm -rf .venv-sbom
	$(PYTHON) -m venv .venv-sbom
	.venv-sbom/bin/pip install --quiet "$$(ls dist/*.whl)[cpu,serve]"
	.venv-sbom/bin/pip uninstall --quiet --yes pip
	$(BUILD)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file sbom.cdx.json .venv-sbom

release-check:  ## VERSION, the tag's, is what the wheel, the changelog and the citation say
	test -f "$$(ls dist/srdiff-$(VERSION)-*.whl)"
	grep -q "^## $(VERSION) (20" CHANGELOG.md  # with its date
	grep -q "^version: $(VERSION)$$" CITATION.cff
