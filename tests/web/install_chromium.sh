#!/usr/bin/env bash
# Debian's Chromium, where none is there and it can be installed; without one the tests are skipped.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" > /dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } > /dev/null || \
    echo "test-web: Chromium could not be installed"
fi
