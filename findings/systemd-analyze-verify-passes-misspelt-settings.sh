#!/usr/bin/env bash
# systemd 252: `systemd-analyze verify` ends with status 0 for a unit with an unknown setting, and for a known one whose value
# cannot be parsed; both are only warned of on standard error, and are ignored when the unit runs. A missing program is an
# error (1). A test that trusts the status lets `RemoveIPCC=no` or `RestartSec=banana` through.
#
# Seen (systemd 252.39-1~deb12u2 of Debian 12):
#   right: status 0, 0 lines; misspelt setting: status 0, 1 line; bad value: status 0, 1 line; missing program: status 1
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
apt-get -qq -o APT::Sandbox::User=root download systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2 >/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
export LD_LIBRARY_PATH=$scratch/root/lib/systemd:$scratch/root/usr/lib/systemd:$scratch/root/lib/x86_64-linux-gnu/systemd:$scratch/root/usr/lib/x86_64-linux-gnu/systemd

# Usage: verify NAME LINE...; prints the status and how many lines were said.
verify() {
  local name=$1 status=0
  shift
  printf '[Service]\n' >"$name.service"
  printf '%s\n' "$@" >>"$name.service"
  root/usr/bin/systemd-analyze verify "./$name.service" >/dev/null 2>words || status=$?
  echo "$status $(grep -c "$name.service" words || true)"
}
root/usr/bin/systemd-analyze --version | head -1
right=$(verify right 'ExecStart=/bin/true' 'RemoveIPC=no')
misspelt=$(verify misspelt 'ExecStart=/bin/true' 'RemoveIPCC=no')
value=$(verify value 'ExecStart=/bin/true' 'RestartSec=banana')
missing=$(verify missing 'ExecStart=/usr/bin/no-such-program')
echo "status and lines: right $right; misspelt setting $misspelt; bad value $value; missing program $missing"
[ "$right; $misspelt; $value; ${missing%% *}" = "0 0; 0 1; 0 1; 1" ]
