# `make test-web`: the page in headless Chromium, which root gets from Debian's packages where there is none.
.PHONY: test-web

test-web: .venv-test/made
	bash tests/web/install_chromium.sh
	$(TEST)/python -m pytest tests/web
