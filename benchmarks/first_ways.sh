#!/usr/bin/env bash
# A first-time reader's four ways to a picture, each in a fresh environment, in seconds:
#     bash benchmarks/first_ways.sh [PYTHON] [WAY...]     # ways: clone wheel page checkpoint
# What is committed is measured. The package index must be reachable; pip's cache, as a newcomer has none, is not used.
set -euo pipefail
unset PYTHONPATH
export PIP_NO_CACHE_DIR=1
repository=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
python=${1:-python3}; shift $(( $# > 0 ))
ways=${*:-clone wheel page checkpoint}
work=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"

timed() {  # NAME COMMAND...
  local name=$1 start=$EPOCHREALTIME; shift
  "$@" > step.log 2>&1 || { echo "$name failed:"; tail -n 20 step.log; exit 1; } >&2
  awk -v name="$name" -v start="$start" -v end="$EPOCHREALTIME" 'BEGIN { printf "| %s | %.1f |\n", name, end - start }'
}
environment() { timed "$1: environment" "$python" -m venv "$1"; timed "$1: pip install '$2'" "$1/bin/pip" install --quiet "$3"; }
picture() { timed "$1: $2" "$1/bin/srdiff-run" clone/examples/astronaut.png -o "$1.png" --overwrite "${@:3}"; }
answers() { until curl -fsS -o /dev/null "http://127.0.0.1:8917$1"; do sleep 0.05; done; }
post() { curl -fsS --data-binary @clone/examples/astronaut.png "http://127.0.0.1:8917/v1/upscale?seed=$1" -o page.png; }

echo "| step | seconds |"; echo "| --- | --- |"
timed "clone" git clone -q "$repository" clone
if [[ $ways == *clone* ]]; then
  environment from_clone '.[cpu]' './clone[cpu]'
  picture from_clone "first picture"
  picture from_clone "second picture"
fi
if [[ $ways == *wheel* || $ways == *page* ]]; then
  "$python" -m venv build && build/bin/pip install --quiet build && build/bin/python -m build --wheel --outdir dist clone > build.log 2>&1
  wheel=$(ls dist/*.whl)
fi
if [[ $ways == *wheel* ]]; then
  environment from_wheel 'WHEEL[cpu]' "$wheel[cpu]"
  picture from_wheel "first picture"
fi
if [[ $ways == *page* ]]; then
  environment page 'WHEEL[cpu,serve]' "$wheel[cpu,serve]"
  page/bin/srdiff-serve --port 8917 > serve.log 2>&1 & server=$!
  timed "page: until it answers" answers /
  timed "page: until it is ready, from then" answers /readyz
  timed "page: first picture over HTTP" post 0
  timed "page: second picture over HTTP" post 1
fi
if [[ $ways == *checkpoint* ]]; then
  environment checkpoint '.[cpu,export]' './clone[cpu,export]'
  timed "checkpoint: srdiff-export" checkpoint/bin/srdiff-export --ckpt clone/tests/data/mindediting_tiny.ckpt -o tiny.srdiff
  picture checkpoint "picture of 100 steps" --model tiny.srdiff
fi
