#include "base/process_mark.h"

#include <pthread.h>
#include <sys/mman.h>

#include <mutex>
#include <new>
#include <utility>

#include "base/random.h"
#include "base/words.h"

namespace leat::internal {
namespace {

// A page that a fork's child finds zero, or null if there is none to be had.
void* map_wiped_page() noexcept {
  void* const page = ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (::madvise(page, kPageBytes, MADV_WIPEONFORK) == 0) return page;
  ::munmap(page, kPageBytes);
  return nullptr;
}

constinit std::atomic<std::uint64_t> unset_word{0};     // never written
constinit std::atomic<std::uint64_t> ordinary_word{0};  // where no page can be wiped

void clear_ordinary_word() { ordinary_word.store(0, std::memory_order_relaxed); }

void set_up_process_word() noexcept {
  void* const page = map_wiped_page();
  if (page == nullptr) ::pthread_atfork(nullptr, nullptr, clear_ordinary_word);
  detail::process_word.store(page != nullptr ? new (page) std::atomic<std::uint64_t>(0) : &ordinary_word,
                             std::memory_order_release);
}

}  // namespace

namespace detail {

constinit std::atomic<std::atomic<std::uint64_t>*> process_word{&unset_word};

std::uint64_t renew_process_mark() noexcept {
  static std::once_flag once;
  if (process_word.load(std::memory_order_acquire) == &unset_word) std::call_once(once, set_up_process_word);
  std::uint64_t found = 0;
  const std::uint64_t fresh = random_id();
  // Several threads may be the first: the mark of one of them holds for all.
  const bool ours =
      process_word.load(std::memory_order_acquire)->compare_exchange_strong(found, fresh, std::memory_order_relaxed);
  return ours ? fresh : found;
}

}  // namespace detail

bool pages_are_wiped() noexcept {
  (void)process_mark();  // finds it out
  return detail::process_word.load(std::memory_order_acquire) != &ordinary_word;
}

WipedWord::WipedWord() noexcept {
  auto* const page = static_cast<std::uint64_t*>(map_wiped_page());
  word_ = page != nullptr ? page : &ordinary_;
}

WipedWord::WipedWord(WipedWord&& other) noexcept : word_(&ordinary_) { *this = std::move(other); }

WipedWord& WipedWord::operator=(WipedWord&& other) noexcept {
  if (this == &other) return *this;
  if (is_wiped()) ::munmap(word_, kPageBytes);
  ordinary_ = other.ordinary_;
  word_ = other.is_wiped() ? std::exchange(other.word_, &other.ordinary_) : &ordinary_;
  return *this;
}

WipedWord::~WipedWord() {
  if (is_wiped()) ::munmap(word_, kPageBytes);  // a fork's child has this mapping too, so it may
}

}  // namespace leat::internal
