#!/usr/bin/env bash
# spdlog 1.10.0: level::from_str() knows the names in lower case only and answers `off` for every other text, without an error
# of any kind. A typo, or the customary "INFO", in a configuration file switches all logging off, critical lines included.
#
# Seen (spdlog 1.10.0 of Debian 12):
#   info=2 warn=3 warning=3 error=4 err=4 critical=5 INFO=6 Warning=6 notice=6 verbose=6 fatal=6 =6      (6 is off)
#   a logger set to from_str("INFO") writes 0 of 1 critical lines
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
apt-get -qq -o APT::Sandbox::User=root download libspdlog-dev=1:1.10.0+ds-0.4 libfmt-dev=9.1.0+ds1-2 >/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
cat >levels.cc <<'CC'
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <cstdio>
int main() {
  for (const char* name : {"info", "warn", "warning", "error", "err", "critical", "INFO", "Warning", "notice", "verbose",
                           "fatal", ""}) {
    std::printf("%s=%d ", name, static_cast<int>(spdlog::level::from_str(name)));
  }
  std::printf("\n");
  auto logger = spdlog::basic_logger_mt("log", "written");
  logger->set_level(spdlog::level::from_str("INFO"));
  logger->critical("the disk is gone");
  logger->flush();
}
CC
g++ -std=c++17 -DSPDLOG_FMT_EXTERNAL -DFMT_HEADER_ONLY -Iroot/usr/include levels.cc -o levels -pthread
seen=$(./levels)
lines=$(wc -l <written)
echo "levels: $seen"
echo "a logger set to from_str(\"INFO\") writes $lines of 1 critical lines"
[ "$seen" = "info=2 warn=3 warning=3 error=4 err=4 critical=5 INFO=6 Warning=6 notice=6 verbose=6 fatal=6 =6 " ]
[ "$lines" -eq 0 ]
