# Shared by the scripts of this repository. Sourced, never run. The sourcing script sets -euo pipefail.
# shellcheck shell=bash

script_name=$(basename "$0")

# Progress goes to standard error: standard output belongs to what the script is for.
say() { printf '%s: %s\n' "$script_name" "$*" >&2; }

# One line that says what, where and what to do. Usage: die MESSAGE...
die() {
  say "error: $*"
  exit 1
}

# A bad command line. Usage: usage_error MESSAGE...
usage_error() {
  say "error: $*; see $script_name --help"
  exit 2
}

# Prints the comment block at the top of the calling script, which is its help.
print_help() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; }

# Usage: need_value OPTION COUNT, with COUNT the number of arguments left, the option included.
need_value() { [ "$2" -ge 2 ] || usage_error "$1 needs a value"; }

# A number that somebody typed, as the programs take one: decimal always, exact or refused.
# Usage: value=$(number NAME TEXT LEAST MOST), with NAME the option or variable and bounds of at most 18 digits.
number() {
  local LC_ALL=C digits=$2
  [[ $digits =~ ^[0-9]+$ ]] || usage_error "$1: '$digits' is not a whole number; give $3 to $4"
  digits=${digits#"${digits%%[!0]*}"}  # 010 is ten
  digits=${digits:-0}
  { [ ${#digits} -le 18 ] && [ "$digits" -ge "$3" ] && [ "$digits" -le "$4" ]; } ||
    usage_error "$1: '$2' is out of bounds; give $3 to $4"
  printf '%s\n' "$digits"
}

# Ends the leatd that this script started, and waits for it. Usage: stop_broker PID; returns leatd's exit status.
stop_broker() {
  local status=0
  kill -TERM "$1" 2>/dev/null || true
  # A signal that this shell handles ends `wait` early (status above 128) while leatd is still stopping.
  while :; do
    status=0
    wait "$1" || status=$?
    kill -0 "$1" 2>/dev/null || return "$status"
  done
}

# Waits until the leatd that this script started serves its feed. Usage: await_broker PID PROBE...
# PROBE is a command that succeeds once it does. Returns 0, or leatd's exit status if it ended, or 124 after 10 s.
await_broker() {
  local pid=$1 status deadline=$((SECONDS + 10))
  shift
  while ! "$@" 2>/dev/null; do
    if ! kill -0 "$pid" 2>/dev/null; then
      status=0
      wait "$pid" || status=$?
      [ "$status" -ne 0 ] || status=1  # it ended before it served anything: no success, whatever it says
      return "$status"
    fi
    [ "$SECONDS" -lt "$deadline" ] || return 124
    sleep 0.05
  done
}
