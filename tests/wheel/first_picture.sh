#!/usr/bin/env bash
# The first picture from nothing but a wheel, in a fresh environment of each Python in $PYTHONS: a row each.
set -euo pipefail
wheel=$(realpath "$1")
photo=$(realpath "$(dirname "$0")/../../examples/astronaut.png")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"  # the source tree must not be importable

find_python() {
  for candidate in "python$1" "$HOME"/.pyenv/versions/"$1".*/bin/"python$1"; do
    # A version manager's name may have no Python behind it, so it has to run.
    if "$candidate" -c '' 2> /dev/null; then echo "$candidate"; return; fi
  done
}

run() { "$@" > log 2>&1 || { cat log; exit 1; }; }

made=0
for version in $PYTHONS; do
  python=$(find_python "$version")
  if [ -z "$python" ]; then echo "Python $version: not here"; continue; fi
  started=$SECONDS
  run "$python" -m venv "env-$version"
  run "env-$version/bin/pip" install "$wheel[cpu]"
  for command in doctor export train preprocess eval; do run "env-$version/bin/srdiff-$command" --help; done
  for command in "env-$version"/bin/srdiff-*; do
    [ -s "env-$version/share/man/man1/$(basename "$command").1" ] || { echo "no manual page of $command"; exit 1; }
  done
  run "env-$version/bin/srdiff-run" "$photo" -o "out-$version.png"
  "env-$version/bin/python" - "out-$version.png" <<'CHECK'
import sys
import numpy
from PIL import Image
image = numpy.asarray(Image.open(sys.argv[1]).convert("L"))
assert image.shape == (384, 384), image.shape
assert len(numpy.unique(image)) > 100, "a picture of few greys"
CHECK
  echo "Python $version: $((SECONDS - started)) s; $(tail -n 1 log)"
  rm -rf "env-$version"
  made=$((made + 1))
done
[ "$made" -gt 0 ] || { echo "no Python of $PYTHONS is here"; exit 1; }
