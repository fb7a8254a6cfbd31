// Where tests put their files, how much they do under a sanitizer, and the seed they run with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace leat::test {

/// True when this binary (and so the leatd built beside it) carries a sanitizer.
bool sanitized();

/// `count`, less under a sanitizer, never below 1.
std::uint64_t scaled(std::uint64_t count);

/// $LEAT_TEST_SEED, else a random one; printed once to standard error, so that a failure can be repeated.
std::uint64_t test_seed();

/// Makes a directory of a name that nobody has: "<parent>/leat-test-<tag>-<pid>-<n>".
std::filesystem::path make_unique_directory(const std::filesystem::path& parent, const std::string& tag);

/// /dev/shm, where rings belong.
std::filesystem::path shared_memory_root();

/// $TMPDIR, else /tmp.
std::filesystem::path temporary_root();

/// Whole content of a file; empty if there is none.
std::string read_file(const std::filesystem::path& path);

/// This program's own executable.
std::string own_executable();

}  // namespace leat::test
