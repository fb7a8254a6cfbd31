#!/usr/bin/env bash
# Runs leat-demo against a leatd of its own: twice on one feed, with odd lines in the input, and once with events of
# another producer in between; then checks that a second leatd on the feed is refused.
#
# Usage: tools/demo/self_test.sh BUILD_DIR
set -euo pipefail
# shellcheck source=tests/install/build_directory.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tests/install/build_directory.sh"
take_build_directory bin/leat-demo "$@"
bin=$build/bin

scratch=$(mktemp -d)
broker_pid=
# shellcheck disable=SC2317  # the trap calls it
clean_up() {
  [ -z "$broker_pid" ] || stop_broker "$broker_pid" || true
  rm -rf "$scratch"
}
trap clean_up EXIT
address=(--feed self_test --runtime-dir "$scratch/runtime" --data-dir "$scratch/data")

# 4000 lines of the log's forms, and some of no form at all: the last has no line end.
make_input() {
  local number
  for number in $(seq 1000); do
    printf '2025-06-24 14:36:25 startup archives unpack\n'
    printf '2025-06-24 14:36:25 upgrade lib%d:amd64 1.0-%d 1.0-%d\n' "$number" "$number" $((number + 1))
    printf '2025-06-24 14:36:26 status half-configured lib%d:amd64 1.0-%d\n' "$number" "$number"
    printf '2025-06-24 14:36:26 status installed lib%d:amd64 1.0-%d\n' "$number" "$number"
  done
  printf '\n \nword\n2025-06-24 14:36:27 a.b*>c\td key\n2025-06-24 14:36:27 status\n\377\376 \001 \002 \003\n'
  printf '2025-06-24 14:36:27 %0300d %0300d\n' 1 2
  printf 'the end'
}
input_lines=4008

# Usage: demo NAME OPTIONS...; the output is kept in $scratch/NAME.
demo() {
  local name=$1
  shift
  "$bin/leat-demo" "${address[@]}" --input "$scratch/input" "$@" >"$scratch/$name" || {
    tail -n 40 "$scratch/$name" >&2
    die "leat-demo failed in the run '$name' (see above)"
  }
}

make_input >"$scratch/input"
"$bin/leatd" "${address[@]}" --log-level warning &
broker_pid=$!
await_broker "$broker_pid" "$bin/leat-demo" "${address[@]}" probe --pid "$broker_pid" ||
  die "leatd does not serve (status $?)"

say "first run, every event printed"
demo first
printed=$(grep -cE '^ +[0-9]+  dpkg\.' "$scratch/first")
[ "$printed" -eq "$input_lines" ] || die "the first run printed $printed events, expected $input_lines"
say "second run on the same feed, summary only, one process"
demo second --quiet --producers 1
grep -q 'PASS  sequences contiguous .* 4009 to 8016$' "$scratch/second" ||
  die "the second run's sequences are not 4009 to 8016: $(grep contiguous "$scratch/second")"
say "two runs at once: each sees the other's events"
demo third --quiet --producers 8 &
other=$!
demo fourth --quiet
wait "$other" || die "the run beside the fourth failed"

say "a second leatd on the same feed"
status=0
"$bin/leatd" "${address[@]}" --log-level off || status=$?
[ "$status" -eq 3 ] || die "a second leatd ended with status $status; expected 3 (another broker)"

pid=$broker_pid
broker_pid=
stop_broker "$pid" || die "leatd ended with status $? on SIGTERM; expected 0"
say "without a broker"
if "$bin/leat-demo" "${address[@]}" probe --pid "$pid" 2>/dev/null; then
  die "the probe finds a broker that has gone"
fi
say "passed"
