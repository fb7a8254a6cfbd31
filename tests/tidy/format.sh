#!/usr/bin/env bash
# All sources are as clang-format writes them (.clang-format). Each release of it writes some things in its own way, so
# only the one that the tree was written with is asked.
#
# Usage: tests/tidy/format.sh [FILE...]
#   FILE   only these; default all .cc and .h files of the repository
#
# Exit status: 0 they are, 1 some are not, 77 no clang-format 14 here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=14
format=$(command -v clang-format-$version || command -v clang-format || true)
if [ -z "$format" ] || ! "$format" --version | grep -q "version $version\."; then
  echo "skipped: no clang-format $version (scripts/install-deps --test installs it)"
  exit 77
fi
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(find . -name build -prune -o \( -name '*.cc' -o -name '*.h' \) -print)
[ ${#files[@]} -gt 0 ] || { echo "error: no source is here" >&2; exit 1; }
"$format" --dry-run --Werror "${files[@]}" || {
  echo "error: some sources are not as clang-format writes them; run: $format -i FILE" >&2
  exit 1
}
echo "${#files[@]} files"
