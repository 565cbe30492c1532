#!/usr/bin/env bash
# The toolkit's script sets its variables; it lies elsewhere from CANN 9 on.
for script in /usr/local/Ascend/cann/set_env.sh /usr/local/Ascend/ascend-toolkit/set_env.sh; do
  # shellcheck disable=SC1090
  if [ -f "$script" ]; then source "$script" && break; fi
done
exec srdiff-serve "$@"
