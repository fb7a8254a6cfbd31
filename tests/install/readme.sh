#!/usr/bin/env bash
# Does what the README says, as it stands there: its commands (the indented lines that begin with "$ ") are run one after
# the other by one shell, and what they print is compared with what the README shows. Times, process ids, epochs and
# directories are taken for equal, and "..." stands for any number of lines. Its C++ blocks must be the programs in
# client-lib/examples, which its commands build against an installed Leat. Then events are damaged and given up: the
# consumer must say that they are missing, and go on.
#
# Usage: tests/install/readme.sh BUILD_DIR
set -euo pipefail
# shellcheck source=tests/install/build_directory.sh
source "$(dirname "${BASH_SOURCE[0]}")/build_directory.sh"
take_build_directory bin/leatd "$@"
readme=$source/README.md

scratch=$(mktemp -d)
runtime=$(mktemp -d /dev/shm/leat-readme-XXXXXX)
# Whatever the session left running ends, and only that: it is in a group of its own.
session=
# shellcheck disable=SC2317  # the trap calls it
clean_up() {
  [ -z "$session" ] || kill -KILL -- "-$session" 2>/dev/null || true
  rm -rf "$scratch" "$runtime"
}
trap clean_up EXIT

say "the C++ of the README is that of client-lib/examples"
number=0
for program in producer consumer; do
  number=$((number + 1))
  awk -v wanted=$number '/^```cpp$/ { inside = ++block == wanted; next } /^```$/ { inside = 0 } inside' "$readme" |
    diff - "$source/client-lib/examples/$program.cc" >&2 || die "the README's $program is not client-lib/examples/$program.cc"
done

say "scripts/run and the session do not get in each other's way"
feed_of_run=$(sed -n 's/^feed=//p' "$source/scripts/run")
[ -n "$feed_of_run" ] || die "scripts/run names no feed"
! grep -q -- "^    \\$ .*--feed $feed_of_run\\b" "$readme" || die "the session uses feed $feed_of_run, which scripts/run serves"

say "run the session"
# A tree as after a build, in which the session may write.
mkdir -p "$scratch/tree/build"
ln -s "$build" "$scratch/tree/build/release"
for part in "$source"/*; do
  [ "$(basename "$part")" = build ] || ln -s "$part" "$scratch/tree/"
done
awk '/^    \$ / { print substr($0, 7) }' "$readme" >"$scratch/commands"
[ -s "$scratch/commands" ] || die "the README has no commands (lines that begin with four blanks, \$ and a blank)"
number=0
while IFS= read -r command; do
  number=$((number + 1))
  printf "echo '=== %s'\n%s\n" "$number" "$command"
done <"$scratch/commands" >"$scratch/session"
cd "$scratch/tree"
# HOME: the session is to find nothing of whoever runs this test.
setsid env -u LEAT_FEED -u XDG_RUNTIME_DIR HOME="$scratch" LEAT_RUNTIME_DIR="$runtime" LEAT_DATA_DIR="$scratch/data" \
  bash "$scratch/session" >"$scratch/output" 2>&1 </dev/null &
session=$!
wait "$session" || true
kill -KILL -- "-$session" 2>/dev/null || true
session=

# What may differ between two runs, made equal. The directories are those of root in the README.
normalise() {
  sed -E -e "s#$runtime#/dev/shm/leat-0#g" -e "s#$scratch/data#/var/lib/leat#g" -e "s#$scratch/tree#TREE#g" \
    -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' -e 's/[0-9a-f]{16}-/EPOCH-/g' -e 's/pid [0-9]+/pid PID/g' \
    -e "s/^(mine .* )$(id -u)\$/\\10/" -e 's/ +/ /g' -e 's/ $//'
}

# What the README shows below its command number $1.
shown() {
  awk -v wanted="$1" '/^    \$ / { number++; next } !/^    / { number += 0; if (/^[^ ]/) seen = number }
    /^    / && number == wanted && seen != wanted { print substr($0, 5) }' "$readme" | normalise
}
printed() { awk -v wanted="$1" '/^=== [0-9]+$/ { number = $2; next } number == wanted' "$scratch/output" | normalise; }

# Whether $1 is $2, in which a line "..." stands for any lines.
is_like() {
  local actual=$1 pattern=$2
  case $pattern in
    *...*)
      local before=${pattern%%...*} after=${pattern#*...}
      [[ $actual == "$before"*"$after" ]]
      ;;
    *) [ "$actual" = "$pattern" ] ;;
  esac
}

failed=0
number=0
while IFS= read -r command; do
  number=$((number + 1))
  is_like "$(printed "$number")" "$(shown "$number")" && continue
  failed=$((failed + 1))
  printf '$ %s\n--- the README shows\n%s\n--- it printed\n%s\n\n' "$command" "$(shown "$number")" "$(printed "$number")" >&2
done <"$scratch/commands"
[ "$failed" -eq 0 ] || die "$failed of the README's $number commands print something else (see above)"

say "the README's consumer where events are missing: it says so, and goes on behind them"
journal=$scratch/data/demo
segment=$(find "$journal" -name '*.seg' | sort | head -1)
place=$(grep -abo 'line\.x' "$segment" | head -1 | cut -d: -f1)
[ -n "$place" ] || die "no event of the session is in $segment"
printf '?' | dd of="$segment" bs=1 seek="$place" conv=notrunc status=none
"$build/bin/leat" repair --yes --journal "$journal" >"$scratch/repair" 2>&1 || { cat "$scratch/repair" >&2; die "no repair"; }
LEAT_RUNTIME_DIR=$runtime LEAT_DATA_DIR=$scratch/data "$scratch/tree/build/examples/consumer" \
  >"$scratch/events" 2>"$scratch/said" || { cat "$scratch/said" >&2; die "the consumer fails where events are missing"; }
grep -q 'reset (gap)' "$scratch/said" || { cat "$scratch/said" >&2; die "the consumer hides that events are missing"; }
[ "$(head -1 "$scratch/events") $(tail -1 "$scratch/events")" = '1 hello 7 hello' ] ||
  { cat "$scratch/events" >&2; die "the consumer does not go on behind what is missing"; }
say "passed: $number commands"
