#!/usr/bin/env bash
# The scripts' own number parser: decimal always, exact or refused. Exit status 0 if it does what it should.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

failed=0
expect() {  # Usage: expect TEXT VALUE; no VALUE: refused
  local got
  got=$( (number --x "$1" 0 999999999999999999) 2>/dev/null) || got=refused
  [ "$got" = "${2:-refused}" ] || { echo "'$1' was read as '$got', not '${2:-refused}'"; failed=1; }
}
expect 0 0
expect 1 1
expect 050 50
expect 010 10
expect 0000000000000000000000000000000007 7
expect 999999999999999999 999999999999999999
for text in '' ' ' -1 -0 +5 ' 5' '5 ' $'5\n' 0x10 1e3 1.5 1K nan inf 5x 9223372036854775808 18446744073709551615 18446744073709551616 \
  99999999999999999999999999999 '1 2' 'a[0]' 'x=5' '$((1))' $'\xd9\xa3' $'\xef\xbc\x95'; do
  expect "$text"
done
(number --x 5 10 20) 2>/dev/null && { echo "5 passed for 10 to 20"; failed=1; }
message=$( (number --jobs -1 1 8) 2>&1) || true
case $message in *--jobs*"'-1'"*"1 to 8"*) ;; *) echo "the error does not name option, text and bounds: $message"; failed=1 ;; esac

# No script does arithmetic with what it was given before this parser has seen it.
root=$(dirname "${BASH_SOURCE[0]}")/../..
if grep -nE '\$\(\([^)]*\$\{?LEAT_[A-Z_]*' "$root"/scripts/* "$root"/tests/torture/* "$root"/bench/instructions/check; then
  echo "the lines above count with a variable of the environment as it stands"
  failed=1
fi
exit "$failed"
