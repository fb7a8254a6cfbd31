// Weak memory, as C++20 allows it to one thread at a time: a thread may read old values of a location as long as
// nothing that happened before forbids it.
//
// Each location keeps all values it ever had, in order. Each thread has a view: the oldest value of each location that
// it may still read. A release (store, or fence before a store) sends the view along with the value; an acquire (load,
// or fence after a load) takes it over. Sequentially consistent operations also share one view. So stores, and loads,
// pass each other unless an order or a fence stands between: what a missing one permits, happens here.
//
// Not modelled: a load that takes its value from a store which comes later in program order (load buffering), and a
// store that slips in before one which is already in a location's order. Swaps always see the newest value, as they
// must.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "tests/interleave/random_source.h"
#include "tests/interleave/simulated_atomic.h"

namespace leat::sim {

/// What is left out of the model, so that a test can see that the program needs it.
enum class Removed : std::uint8_t {
  nothing,
  release_fences,  ///< broadcast_ring.h: intent before words
  acquire_fences,  ///< broadcast_ring.h: words before intent
  seq_cst_fences,  ///< doorbell.h, ArenaReader::wake: store before look
  seq_cst_order,   ///< inbound_ring.h: swap and `sleeping`; such operations only acquire and release
  release_stores,  ///< commit, completion, ...: store(release) is relaxed
  acquire_loads,   ///< peek, committed, ...: load(acquire) is relaxed
  swap_release,    ///< a compare-and-swap orders nothing
};

/// A block of memory that some threads share. Some ranges of it are mirrored, as the mappings of rings and arenas are.
class Memory {
 public:
  static constexpr std::size_t kMaxLocations = 2048;
  static constexpr std::size_t kMaxThreads = 8;

  explicit Memory(std::size_t bytes);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// Begins an execution: all zeroes, no ranges.
  void reset(Removed removed);
  [[nodiscard]] std::byte* base() const noexcept { return bytes_.get(); }
  [[nodiscard]] bool holds(const void* at) const noexcept { return at >= bytes_.get() && at < bytes_.get() + size_; }

  /// [offset, offset + capacity) is mapped twice, back to back. With `plain_writer`, that thread also writes there
  /// without atomics: found by comparison before each of its operations, and taken for relaxed stores.
  void add_mirror(std::size_t offset, std::size_t capacity, int plain_writer = -1);

  /// One in `one_in` loads that may read something old does; 0: none.
  void set_stale(std::uint64_t one_in) noexcept { stale_one_in_ = one_in; }

  std::uint64_t load(int thread, const void* at, unsigned bytes, std::memory_order order, Random& random);
  void store(int thread, void* at, unsigned bytes, std::uint64_t value, std::memory_order order);
  std::uint64_t update(int thread, void* at, unsigned bytes, Update how, std::uint64_t operand,
                       std::memory_order order);
  bool compare_exchange(int thread, void* at, unsigned bytes, std::uint64_t& expected, std::uint64_t desired,
                        std::memory_order order, Random& random);
  void fence(int thread, std::memory_order order);
  /// What the kernel does before it compares a futex word, or looks for sleepers: never left out.
  void kernel_fence(int thread);

  /// Stores that `thread` has made without atomics up to now.
  void collect_plain_stores(int thread);

  /// The newest value: what a look from outside finds. For words of 4 and 8 bytes.
  [[nodiscard]] static std::uint64_t newest(const void* at, unsigned bytes) noexcept;

  [[nodiscard]] std::uint64_t stale_loads() const noexcept { return stale_loads_; }

 private:
  using Stamp = std::uint16_t;
  using Locus = std::uint16_t;
  using View = std::array<Stamp, kMaxLocations>;

  struct Message {
    std::uint64_t value;
    int view;  // index into views_, or kNoView
  };
  struct Thread {
    View view;
    View pending;      // what relaxed loads have seen: an acquire fence takes it over
    int release_view;  // of the last release fence
    int last_pending;  // the view joined into `pending` last
  };
  struct Mirror {
    std::size_t offset;
    std::size_t capacity;
    int plain_writer;
    std::vector<std::byte> shadow;
  };
  static constexpr int kNoView = -1;

  Locus locus(std::size_t offset, unsigned bytes);
  [[nodiscard]] std::size_t canonical(const void* at) const noexcept;
  void write_through(std::size_t offset, unsigned bytes, std::uint64_t value);
  void append(Thread& by, Locus where, std::uint64_t value, std::memory_order order, int previous_view);
  void see(Thread& by, int view, std::memory_order order);
  int snapshot(const View& view);
  void join(View& into, const View& from) const noexcept;
  [[nodiscard]] std::memory_order effective(std::memory_order order, bool is_load, bool is_store) const noexcept;
  void full_fence(Thread& by);
  std::size_t pick(const Thread& by, Locus where, std::memory_order order, Random& random);

  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::size_t size_;
  std::unique_ptr<std::byte[], Free> bytes_;
  std::vector<Locus> loci_;                     // by offset / 4; 0: not seen yet
  std::vector<std::size_t> used_;               // offsets / 4 with a locus
  std::vector<std::vector<Message>> messages_;  // by locus
  std::size_t locus_count_ = 1;
  std::array<Thread, kMaxThreads> threads_;
  View global_;
  std::vector<std::unique_ptr<View>> views_;
  std::size_t view_count_ = 0;
  std::vector<Mirror> mirrors_;
  Removed removed_ = Removed::nothing;
  std::uint64_t stale_one_in_ = 0;
  std::uint64_t stale_loads_ = 0;
};

}  // namespace leat::sim
