// What this machine can do at all: the floors that every figure is compared with. Measured in the same run.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "histogram.h"

namespace leat::bench {

/// Round trips of one cache line between this thread and another, in nanoseconds.
void measure_cache_line(Histogram& out, std::uint64_t rounds);

/// What any relay between two others pays for its place: a thread that waits for a flag, copies the record of 128 bytes
/// behind it to another ring, and raises a second flag; from the first store until the record is read there. Like
/// Leat's way, without sequence, check, checksum and journal. Nanoseconds.
void measure_bare_relay(Histogram& out, std::uint64_t rounds);

/// A process that sleeps on a futex, so that the cost of waking one can be measured beside something else, in the same
/// conditions. One thread.
class Sleeper {
 public:
  Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper();
  /// Wakes it, and spins until its answer is there. Nanoseconds.
  std::int64_t wake_ns();

 private:
  struct Page;
  Page* page_;
  pid_t pid_;
};

/// One block of a file, written and synced again and again. One thread. Throws std::runtime_error.
class BlockSync {
 public:
  explicit BlockSync(const std::string& scratch);
  BlockSync(const BlockSync&) = delete;
  BlockSync& operator=(const BlockSync&) = delete;
  ~BlockSync();
  std::int64_t sync_ns();

 private:
  std::string path_;
  int fd_;
  std::string block_;
};

struct Floors {
  Histogram cache_line{};  ///< round trip of one cache line between two threads on two cores
  Histogram futex_wake{};  ///< from FUTEX_WAKE until the woken process's store is seen, asleep for 100 us before
  Histogram fdatasync{};   ///< pwrite and fdatasync of one 4 KiB block that is allocated
  double memcpy_bytes_per_second = 0;  ///< 1 MiB blocks of 256 MiB to another 256 MiB
  double write_bytes_per_second = 0;   ///< 64 MiB by write() of 1 MiB, with its fdatasync
  /// What any journaled broker must do with an event of 128 bytes, without a transport: store it, copy it and compute
  /// an XXH3-64, copy it to the journal, copy it out. One after the other on one core, so nothing in it waits.
  double relay_ns = 0;
};

/// `scale` in (0, 1]: how much of the full sample count. Throws std::runtime_error.
Floors measure_floors(const std::string& scratch, double scale);
nlohmann::json to_json(const Floors& floors);

}  // namespace leat::bench
