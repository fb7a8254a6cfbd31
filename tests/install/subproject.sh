#!/usr/bin/env bash
# Builds a project that has Leat's sources as a part of it (add_subdirectory, and FetchContent with SOURCE_DIR): nothing
# but the library is built, nothing is installed, none of what only the programs need is looked for, and no setting of
# the parent is changed. And the library, the tools and the broker each on their own look only for what they need.
#
# Usage: tests/install/subproject.sh BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/install/build_directory.sh
source "$here/build_directory.sh"
take_build_directory CMakeCache.txt "$@"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Usage: try NAME CMAKE_OPTION...
try() {
  local name=$1 parent=$scratch/$1
  shift
  say "configure: $name"
  # No build type is given: the parent's own must stay (empty). What only programs and tests need cannot be found.
  if ! cmake -S "$here/subproject" -B "$parent" -G "$(cached CMAKE_GENERATOR)" -DLEAT_SOURCE="$source" \
    -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" -DCMAKE_CXX_COMPILER_LAUNCHER="$(cached LEAT_CCACHE)" \
    -DCMAKE_DISABLE_FIND_PACKAGE_spdlog=ON -DCMAKE_DISABLE_FIND_PACKAGE_CLI11=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_tomlplusplus=ON -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON -DCMAKE_DISABLE_FIND_PACKAGE_benchmark=ON "$@" >"$scratch/log" 2>&1; then
    cat "$scratch/log" >&2
    die "a parent project ($name) cannot be configured (see above)"
  fi
  diff "$parent/before.txt" "$parent/after.txt" >&2 || die "Leat changes what belongs to its parent ($name; see above)"
  [ "$(cat "$parent/targets.txt")" = "leat_base;leat_client;leat_flags;leat_journal;leat_record;leat_shm" ] ||
    die "as a part of another project ($name) Leat has the targets $(cat "$parent/targets.txt")"
}

# Usage: build_it NAME
build_it() {
  local parent=$scratch/$1
  say "build: $1"
  if ! cmake --build "$parent" >"$scratch/log" 2>&1; then
    cat "$scratch/log" >&2
    die "a parent project ($1) does not build (see above)"
  fi
  "$parent/parent" "$scratch/runtime" "$scratch/data" unknown_feed || die "the parent's program ($1) does not run"
  cmake --install "$parent" --prefix "$scratch/prefix" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; die "no install"; }
  [ -z "$(find "$scratch/prefix" -type f 2>/dev/null)" ] || die "Leat's rules to install reach its parent ($1)"
}

try add_subdirectory
build_it add_subdirectory
try an_older_standard -DCMAKE_CXX_STANDARD=17 -DCMAKE_CXX_STANDARD_REQUIRED=ON
try fetch_content -DBY_FETCH=ON
build_it fetch_content

# Usage: alone WHAT OPTION PACKAGE...   what is built on its own looks for no package that only the rest needs
alone() {
  local what=$1 option=$2 disabled=()
  shift 2
  say "configure: $what alone"
  for package in "$@"; do disabled+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON"); done
  cmake -S "$source" -B "$scratch/$what" -G "$(cached CMAKE_GENERATOR)" -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" \
    -DLEAT_BUILD_PROGRAMS=OFF -DLEAT_BUILD_TESTS=OFF -DLEAT_BUILD_BENCH=OFF "$option" "${disabled[@]}" \
    >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; die "$what cannot be configured alone (see above)"; }
}
alone library -DLEAT_INSTALL=ON spdlog CLI11 tomlplusplus nlohmann_json GTest benchmark
alone tools -DLEAT_BUILD_TOOLS=ON spdlog tomlplusplus nlohmann_json GTest benchmark
alone broker -DLEAT_BUILD_BROKER=ON nlohmann_json GTest benchmark
say "passed"
