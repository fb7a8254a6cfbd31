// Which process this is, in two loads: a fork's child is another one, and finds that out without a system call.
//
// A page that the kernel gives to a fork's child as zeros (MADV_WIPEONFORK, Linux 4.14) holds the mark. Where that
// advice is unknown, a handler of pthread_atfork clears the mark; it misses children that were made by a bare clone().
// A child of vfork() shares all memory with its parent and so counts as the parent; it may only exec or _exit anyway.
#pragma once

#include <atomic>
#include <cstdint>

namespace leat::internal {

namespace detail {
// Where the mark stands: a constant zero until the first call, so that objects of static storage may ask too.
extern std::atomic<std::atomic<std::uint64_t>*> process_word;
std::uint64_t renew_process_mark() noexcept;
}  // namespace detail

/// A number that is never 0, and never that of a parent or child of this process. Any thread.
inline std::uint64_t process_mark() noexcept {
  const std::uint64_t mark = detail::process_word.load(std::memory_order_acquire)->load(std::memory_order_relaxed);
  return mark != 0 ? mark : detail::renew_process_mark();
}

/// False where the kernel wipes no page on fork: then memory of the parent (WipedMemory, WipedWord) is as it was in a
/// child, and whoever relies on its zeros asks ProcessOwner in their place. Any thread.
bool pages_are_wiped() noexcept;

/// Remembers the process that made it. For every handle that must not speak, or touch memory, for another process.
class ProcessOwner {
 public:
  /// False in a fork's child of the process that made this object.
  [[nodiscard]] bool is_here() const noexcept { return mark_ == process_mark(); }

 private:
  std::uint64_t mark_ = process_mark();
};

/// Eight bytes that a fork's child finds zero: a bound that is kept here, and compared anyway, refuses all work in a
/// child at no further cost. Takes a page of memory. Move-only; one thread at a time.
class WipedWord {
 public:
  WipedWord() noexcept;
  WipedWord(WipedWord&& other) noexcept;
  WipedWord& operator=(WipedWord&& other) noexcept;
  ~WipedWord();

  [[nodiscard]] std::uint64_t get() const noexcept { return *word_; }
  void set(std::uint64_t value) noexcept { *word_ = value; }
  /// False where no such page was to be had: a child then finds what its parent had.
  [[nodiscard]] bool is_wiped() const noexcept { return word_ != &ordinary_; }

 private:
  std::uint64_t* word_;
  std::uint64_t ordinary_ = 0;
};

}  // namespace leat::internal
