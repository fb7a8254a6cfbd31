#include "floors.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "clock.h"
#include "measure.h"

namespace leat::bench {
namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kMiB = 1 << 20;
constexpr std::uint64_t kLineRounds = 300'000;
constexpr std::uint64_t kWakeRounds = 5'000;
constexpr std::uint64_t kSyncRounds = 300;
constexpr std::uint64_t kRelayEvents = 20'000'000;
constexpr std::size_t kRecordBytes = 128;
constexpr std::size_t kRelayRingBytes = 16 * kMiB;
constexpr std::size_t kRelayJournalBytes = 256 * kMiB;
constexpr std::uint64_t kRelayChunk = 64;

struct alignas(2 * kLineBytes) Word {
  std::atomic<std::uint64_t> value{0};
};

// The sleeper gets the time to fall asleep before each wake.
void futex_wake(Histogram& out, std::uint64_t rounds) {
  Sleeper sleeper;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    ::usleep(100);
    out.record(sleeper.wake_ns());
  }
}

int open_scratch(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error("cannot create " + path);
  return fd;
}

void block_sync(Histogram& out, const std::string& scratch, std::uint64_t rounds) {
  BlockSync block(scratch);
  for (std::uint64_t i = 0; i < rounds; ++i) out.record(block.sync_ns());
}

double sequential_write(const std::string& scratch) {
  constexpr std::size_t kTotal = 64 * kMiB;
  const std::string path = scratch + "/write.tmp";
  const int fd = open_scratch(path);
  const std::vector<char> block(kMiB, 'x');
  const std::int64_t begin = now_ns();
  bool ok = true;
  for (std::size_t at = 0; at < kTotal && ok; at += kMiB)
    ok = ::write(fd, block.data(), kMiB) == static_cast<ssize_t>(kMiB);
  ok = ok && ::fdatasync(fd) == 0;
  const std::int64_t took = now_ns() - begin;
  ::close(fd);
  ::unlink(path.c_str());
  if (!ok) throw std::runtime_error("cannot write " + path);
  return static_cast<double>(kTotal) * 1e9 / static_cast<double>(took);
}

double memcpy_bandwidth() {
  constexpr std::size_t kTotal = 256 * kMiB;
  std::vector<char> from(kTotal, 'x');
  std::vector<char> to(kTotal, 'y');
  std::int64_t best = 0;
  for (int round = 0; round < 3; ++round) {
    const std::int64_t begin = now_ns();
    for (std::size_t at = 0; at < kTotal; at += kMiB) std::memcpy(to.data() + at, from.data() + at, kMiB);
    const std::int64_t took = now_ns() - begin;
    if (best == 0 || took < best) best = took;
  }
  return static_cast<double>(kTotal) * 1e9 / static_cast<double>(best);
}

// One after the other on one core, so nothing of it is waiting: what each stage costs when all else is for free.
double relay_ns(std::uint64_t events) {
  std::vector<std::byte> in(kRelayRingBytes);
  std::vector<std::byte> out(kRelayRingBytes);
  std::vector<std::byte> journal(kRelayJournalBytes);
  const std::vector<std::byte> event(kRecordBytes, std::byte{1});
  std::uint64_t seen = 0;
  std::int64_t took = 0;
  for (std::uint64_t first = 0; first < events; first += kRelayChunk) {
    if (first == kRelayJournalBytes / kRecordBytes) took = -now_ns();  // all has been touched: from here on it counts
    std::byte* const to = in.data() + first * kRecordBytes % kRelayRingBytes;
    for (std::uint64_t i = 0; i < kRelayChunk; ++i) std::memcpy(to + i * kRecordBytes, event.data(), kRecordBytes);
    std::byte* const ring = out.data() + first * kRecordBytes % kRelayRingBytes;
    for (std::uint64_t i = 0; i < kRelayChunk; ++i) {
      std::byte* const record = ring + i * kRecordBytes;
      std::memcpy(record, to + i * kRecordBytes, kRecordBytes);
      const std::uint64_t sum = XXH3_64bits_withSeed(record + sizeof sum, kRecordBytes - sizeof sum, first + i);
      std::memcpy(record, &sum, sizeof sum);
    }
    std::memcpy(journal.data() + first * kRecordBytes % kRelayJournalBytes, ring, kRelayChunk * kRecordBytes);
    for (std::uint64_t i = 0; i < kRelayChunk; ++i) {
      std::uint64_t record[kRecordBytes / sizeof(std::uint64_t)];
      std::memcpy(record, ring + i * kRecordBytes, kRecordBytes);
      asm volatile("" : : "r"(record) : "memory");
      seen += record[0];
    }
  }
  took += now_ns();
  if (seen == 0) throw std::runtime_error("the relay's records are empty");
  return static_cast<double>(took) / static_cast<double>(events - kRelayJournalBytes / kRecordBytes);
}

std::uint64_t scaled(std::uint64_t count, double scale) {
  return std::max<std::uint64_t>(kRelayChunk, static_cast<std::uint64_t>(static_cast<double>(count) * scale)) /
         kRelayChunk * kRelayChunk;
}

}  // namespace

void measure_cache_line(Histogram& out, std::uint64_t rounds) {
  Word ping;
  Word pong;
  std::thread other([&] {
    for (std::uint64_t i = 1; i <= rounds; ++i) {
      while (ping.value.load(std::memory_order_acquire) < i) {
      }
      pong.value.store(i, std::memory_order_release);
    }
  });
  for (std::uint64_t i = 1; i <= rounds; ++i) {
    const std::int64_t begin = now_ns();
    ping.value.store(i, std::memory_order_release);
    while (pong.value.load(std::memory_order_acquire) < i) {
    }
    out.record(now_ns() - begin);
  }
  other.join();
}

void measure_bare_relay(Histogram& out, std::uint64_t rounds) {
  constexpr std::size_t kRingBytes = 64 * 1024;
  constexpr std::uint64_t kStop = ~0ULL;
  Word in_flag;
  Word out_flag;
  std::vector<std::byte> in_ring(kRingBytes);
  std::vector<std::byte> out_ring(kRingBytes);
  const auto place = [](std::vector<std::byte>& ring, std::uint64_t i) {
    return ring.data() + i * kRecordBytes % kRingBytes;
  };
  std::thread relay([&] {
    for (std::uint64_t i = 1;; ++i) {
      std::uint64_t seen = 0;
      while ((seen = in_flag.value.load(std::memory_order_acquire)) < i) {
      }
      if (seen == kStop) return;
      std::memcpy(place(out_ring, i), place(in_ring, i), kRecordBytes);
      out_flag.value.store(i, std::memory_order_release);
    }
  });
  std::vector<std::byte> record(kRecordBytes, std::byte{1});
  for (std::uint64_t i = 1; i <= rounds; ++i) {
    const std::int64_t begin = now_ns();
    std::memcpy(place(in_ring, i), record.data(), kRecordBytes);
    in_flag.value.store(i, std::memory_order_release);
    while (out_flag.value.load(std::memory_order_acquire) < i) {
    }
    std::memcpy(record.data(), place(out_ring, i), kRecordBytes);
    asm volatile("" : : "r"(record.data()) : "memory");
    out.record(now_ns() - begin);
  }
  in_flag.value.store(kStop, std::memory_order_release);
  relay.join();
}

struct Sleeper::Page {
  alignas(2 * kLineBytes) std::atomic<std::uint32_t> call;
  alignas(2 * kLineBytes) std::atomic<std::uint32_t> answer;
};

Sleeper::Sleeper() {
  void* const page = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::runtime_error("cannot map a page");
  page_ = new (page) Page{};
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (std::uint32_t seen = 0;;) {
    while (page_->call.load(std::memory_order_acquire) == seen) {
      ::syscall(SYS_futex, &page_->call, FUTEX_WAIT, seen, nullptr, nullptr, 0);
    }
    page_->answer.store(++seen, std::memory_order_release);
  }
}

Sleeper::~Sleeper() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::munmap(page_, sizeof(Page));
}

std::int64_t Sleeper::wake_ns() {
  const std::uint32_t call = page_->call.load(std::memory_order_relaxed) + 1;
  const std::int64_t begin = now_ns();
  page_->call.store(call, std::memory_order_seq_cst);
  ::syscall(SYS_futex, &page_->call, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  while (page_->answer.load(std::memory_order_acquire) != call) {
  }
  return now_ns() - begin;
}

BlockSync::BlockSync(const std::string& scratch)
    : path_(scratch + "/sync.tmp"), fd_(open_scratch(path_)), block_(kBlockBytes, 'x') {
  (void)sync_ns();  // allocates the block
}

BlockSync::~BlockSync() {
  ::close(fd_);
  ::unlink(path_.c_str());
}

std::int64_t BlockSync::sync_ns() {
  ++block_[0];
  const std::int64_t begin = now_ns();
  if (::pwrite(fd_, block_.data(), block_.size(), 0) != static_cast<ssize_t>(block_.size()) || ::fdatasync(fd_) != 0) {
    throw std::runtime_error("cannot write and sync " + path_);
  }
  return now_ns() - begin;
}

Floors measure_floors(const std::string& scratch, double scale) {
  Floors floors;
  measure_cache_line(floors.cache_line, scaled(kLineRounds, scale));
  futex_wake(floors.futex_wake, scaled(kWakeRounds, scale));
  block_sync(floors.fdatasync, scratch, scaled(kSyncRounds, scale));
  floors.memcpy_bytes_per_second = memcpy_bandwidth();
  floors.write_bytes_per_second = sequential_write(scratch);
  const std::uint64_t laps = kRelayJournalBytes / kRecordBytes;  // the first lap does not count
  floors.relay_ns = relay_ns(laps + scaled(kRelayEvents, scale));
  return floors;
}

nlohmann::json to_json(const Floors& floors) {
  return {{"cache_line_round_trip", latency_json(floors.cache_line)},
          {"futex_wake", latency_json(floors.futex_wake)},
          {"fdatasync_4k", latency_json(floors.fdatasync)},
          {"memcpy_bytes_per_second", floors.memcpy_bytes_per_second},
          {"sequential_write_bytes_per_second", floors.write_bytes_per_second},
          {"relay_ns_per_event", floors.relay_ns}};
}

}  // namespace leat::bench
