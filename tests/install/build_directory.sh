# Shared by the tests of a build. Sourced, never run. The sourcing script sets -euo pipefail.
# shellcheck shell=bash
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

# Reads a command line that is a build directory, which must hold a file; sets `build`, and `source` to this repository.
# Usage: take_build_directory FILE "$@"
take_build_directory() {
  case ${2:-} in
    --help | -h) print_help; exit 0 ;;
    "") usage_error "no build directory given" ;;
  esac
  [ -e "$2/$1" ] || die "'$2' is no build directory, or is not built ($1 is not there); build first: scripts/test"
  build=$(cd "$2" && pwd)
  # shellcheck disable=SC2034  # not every script needs it
  source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
}

# A value out of the build's cache. Usage: cached NAME
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
