#!/usr/bin/env bash
# Google Benchmark 1.7.1: a program whose every benchmark reported an error (State::SkipWithError) ends with status 0, and so
# does one whose filter matches nothing. In CI a gate on the exit status passes while nothing at all was measured; only the
# JSON says so, by `error_occurred` of each run, and for an empty filter not even that: no file content.
#
# Seen (libbenchmark-dev 1.7.1-1 of Debian 12):
#   every benchmark failed: status 0, error_occurred lines in the JSON: 1
#   a filter that matches nothing: status 0
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
apt-get -qq -o APT::Sandbox::User=root download libbenchmark-dev=1.7.1-1 libbenchmark1debian=1.7.1-1 >/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=root/usr/lib/x86_64-linux-gnu
cat >bench.cc <<'CC'
#include <benchmark/benchmark.h>
static void BM_Publish(benchmark::State& state) {
  for (auto _ : state) {
    state.SkipWithError("no broker");
    break;
  }
}
BENCHMARK(BM_Publish);
BENCHMARK_MAIN();
CC
g++ -O1 -Iroot/usr/include bench.cc -L"$libraries" -lbenchmark -pthread -o bench
export LD_LIBRARY_PATH=$libraries
failed=0
./bench --benchmark_out=out.json >/dev/null 2>&1 || failed=$?
errors=$(grep -c '"error_occurred": true' out.json)
unmatched=0
./bench --benchmark_filter=NoSuchBenchmark >/dev/null 2>&1 || unmatched=$?
echo "every benchmark failed: status $failed, error_occurred lines in the JSON: $errors"
echo "a filter that matches nothing: status $unmatched"
[ "$failed $errors $unmatched" = "0 1 0" ]
