#!/usr/bin/env bash
# Installs a build of Leat into a temporary prefix, builds the project beside this script against it as an outsider
# would (find_package(leat CONFIG)), and runs it without and with the installed leatd. The programs in the README are
# built and run in the same way.
#
# Usage: tests/install/run.sh BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
source "$here/../../scripts/lib.sh"

case ${1:-} in
  --help | -h) print_help; exit 0 ;;
  "") usage_error "no build directory given" ;;
esac
[ -f "$1/CMakeCache.txt" ] || die "'$1' is no build directory (no CMakeCache.txt); build first: scripts/test"
build=$(cd "$1" && pwd)

scratch=$(mktemp -d)
broker_pid=
demo_pid=
# shellcheck disable=SC2317  # the trap calls it
clean_up() {
  for pid in $broker_pid $demo_pid; do stop_broker "$pid" || true; done
  rm -rf "$scratch"
}
trap clean_up EXIT
prefix=$scratch/prefix
runtime=$scratch/runtime
data=$scratch/data

# A value out of the build's cache. Usage: cached NAME
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

say "install"
cmake --install "$build" --prefix "$prefix" >"$scratch/install.log" || { cat "$scratch/install.log"; exit 1; }
if grep -rnE '#include *<(boost|spdlog|CLI|nlohmann|xxhash)' "$prefix/include" >&2; then
  die "a public header includes a library that users of leat::client need not have (see above)"
fi
if grep -rnF -e "$build" -e "$(cd "$here/../.." && pwd)" "$prefix/lib" --include='*.cmake' >&2; then
  die "the installed package names a path of the source or build tree (see above)"
fi

say "cut the programs out of the README"
mkdir "$scratch/readme"
for number in 1 2; do
  awk -v wanted=$number '/^```cpp$/ { inside = ++block == wanted; next } /^```$/ { inside = 0 } inside' \
    "$here/../../README.md" >"$scratch/readme/$number"
done
mv "$scratch/readme/1" "$scratch/readme/producer.cc"
mv "$scratch/readme/2" "$scratch/readme/consumer.cc"

say "configure and build the outside project"
# A library built with a sanitizer links only into a program that has it too.
sanitize=$(cached LEAT_SANITIZE)
flags=${sanitize:+-fsanitize=$sanitize}
if ! (cmake -S "$here" -B "$scratch/outside" -G "$(cached CMAKE_GENERATOR)" \
  -DCMAKE_BUILD_TYPE="$(cached CMAKE_BUILD_TYPE)" -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" \
  -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF \
  -DREADME_PROGRAMS="$scratch/readme" &&
  cmake --build "$scratch/outside") >"$scratch/build.log" 2>&1; then
  cat "$scratch/build.log" >&2
  die "the outside project does not build against the installed package (see above)"
fi
grep -q "^leat_DIR:PATH=$prefix/" "$scratch/outside/CMakeCache.txt" ||
  die "the outside project found another leat: $(grep '^leat_DIR' "$scratch/outside/CMakeCache.txt")"

say "run"
"$prefix/bin/leat" --help >/dev/null || die "the installed leat does not run"
"$scratch/outside/outside" "$runtime" "$data" unknown_feed
"$prefix/bin/leatd" --feed outside --runtime-dir "$runtime" --data-dir "$data" --log-level warning &
broker_pid=$!
await_broker "$broker_pid" test -S "$runtime/outside/control.sock" || die "leatd does not serve (status $?)"
"$scratch/outside/outside" "$runtime" "$data"

say "run the programs of the README"
export LEAT_RUNTIME_DIR=$runtime LEAT_DATA_DIR=$data
"$prefix/bin/leatd" --feed demo --log-level warning &
demo_pid=$!
await_broker "$demo_pid" test -S "$runtime/demo/control.sock" || die "leatd does not serve feed demo (status $?)"
[ "$("$scratch/outside/readme_producer")" = "sequence 1" ] || die "the README's producer did not print 'sequence 1'"
timeout 10 "$scratch/outside/readme_consumer" >"$scratch/consumed" &
consumer_pid=$!
for _ in $(seq 100); do grep -q . "$scratch/consumed" && break; sleep 0.05; done
kill "$consumer_pid" 2>/dev/null || true
wait "$consumer_pid" 2>/dev/null || true
[ "$(cat "$scratch/consumed")" = "1 hello" ] || die "the README's consumer printed '$(cat "$scratch/consumed")', not '1 hello'"
pid=$demo_pid
demo_pid=
stop_broker "$pid" || die "leatd of feed demo ended with status $? on SIGTERM; expected 0"

pid=$broker_pid
broker_pid=
stop_broker "$pid" || die "leatd ended with status $? on SIGTERM; expected 0"
"$scratch/outside/outside" "$runtime" "$data" no_broker
say "passed"
