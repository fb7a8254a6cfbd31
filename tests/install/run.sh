#!/usr/bin/env bash
# Installs a build of Leat into a temporary prefix, builds the project outside/ against it as an outsider would
# (find_package(leat CONFIG), and pkg-config), and runs it without and with the installed leatd. Nothing here names a
# standard of C++: the packages must. (The programs in the README are built and run by readme.sh.)
#
# Usage: tests/install/run.sh BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/install/build_directory.sh
source "$here/build_directory.sh"
take_build_directory CMakeCache.txt "$@"

scratch=$(mktemp -d)
broker_pid=
# shellcheck disable=SC2317  # the trap calls it
clean_up() {
  [ -z "$broker_pid" ] || stop_broker "$broker_pid" || true
  rm -rf "$scratch"
}
trap clean_up EXIT
prefix=$scratch/prefix
runtime=$scratch/runtime
data=$scratch/data

say "install"
cmake --install "$build" --prefix "$prefix" >"$scratch/install.log" || { cat "$scratch/install.log"; exit 1; }
if grep -rnE '#include *<(boost|spdlog|CLI|nlohmann|xxhash)' "$prefix/include" >&2; then
  die "a public header includes a library that users of leat::client need not have (see above)"
fi
if grep -rnF -e "$build" -e "$source" "$prefix" --include='*.cmake' --include='*.pc' >&2; then
  die "the installed package names a path of the source or build tree (see above)"
fi

say "configure and build the outside project"
# A library built with a sanitizer links only into a program that has it too.
sanitize=$(cached LEAT_SANITIZE)
flags=${sanitize:+-fsanitize=$sanitize}
if ! (cmake -S "$here/outside" -B "$scratch/outside" -G "$(cached CMAKE_GENERATOR)" \
  -DCMAKE_BUILD_TYPE="$(cached CMAKE_BUILD_TYPE)" -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" \
  -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF &&
  cmake --build "$scratch/outside") >"$scratch/build.log" 2>&1; then
  cat "$scratch/build.log" >&2
  die "the outside project does not build against the installed package (see above)"
fi
grep -q "^leat_DIR:PATH=$prefix/" "$scratch/outside/CMakeCache.txt" ||
  die "the outside project found another leat: $(grep '^leat_DIR' "$scratch/outside/CMakeCache.txt")"

say "compile and link with what pkg-config says"
# The prefix is moved first: the file must not name where it was installed.
mv "$prefix" "$scratch/moved"
pc=$(find "$scratch/moved" -name leat.pc)
[ -n "$pc" ] || die "no leat.pc was installed"
if command -v pkg-config >/dev/null; then
  use() { PKG_CONFIG_PATH=$(dirname "$pc") pkg-config "$@" leat; }
  [ "$(use --modversion)" = "$(cached CMAKE_PROJECT_VERSION)" ] || die "leat.pc says version $(use --modversion)"
  # shellcheck disable=SC2046,SC2086  # words
  for libs in "--libs" "--libs --static"; do
    "$(cached CMAKE_CXX_COMPILER)" $flags "$here/outside/main.cc" -o "$scratch/by_pkg_config" $(use --cflags $libs) ||
      die "a program does not build with pkg-config --cflags $libs leat"
    "$scratch/by_pkg_config" "$runtime" "$data" unknown_feed
  done
fi
mv "$scratch/moved" "$prefix"

say "run"
"$prefix/bin/leat" --help >/dev/null || die "the installed leat does not run"
"$scratch/outside/outside" "$runtime" "$data" unknown_feed
"$prefix/bin/leatd" --feed outside --runtime-dir "$runtime" --data-dir "$data" --log-level warning &
broker_pid=$!
await_broker "$broker_pid" test -S "$runtime/outside/control.sock" || die "leatd does not serve (status $?)"
"$scratch/outside/outside" "$runtime" "$data"

pid=$broker_pid
broker_pid=
stop_broker "$pid" || die "leatd ended with status $? on SIGTERM; expected 0"
"$scratch/outside/outside" "$runtime" "$data" no_broker
say "passed"
