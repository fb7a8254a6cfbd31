// Copying bytes that another process may overwrite meanwhile, without a data race in the C++ sense: as 8-byte atomic
// words. The order against other words comes from stand-alone fences around the copy (Boehm,
// "Can seqlocks get along with programming language memory models?", MSPC 2012). ThreadSanitizer does not model
// fences, so under it each word is acquired and released on its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/atomic.h"

namespace leat::internal {

inline constexpr std::size_t kWordBytes = 8;
inline constexpr std::size_t kCacheLineBytes = 64;
inline constexpr std::size_t kPageBytes = 4096;

#if defined(__SANITIZE_THREAD__)
#define LEAT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEAT_TSAN 1
#endif
#endif

#ifdef LEAT_TSAN
inline constexpr int kWordLoadOrder = __ATOMIC_ACQUIRE;
inline constexpr int kWordStoreOrder = __ATOMIC_RELEASE;
#else
inline constexpr int kWordLoadOrder = __ATOMIC_RELAXED;
inline constexpr int kWordStoreOrder = __ATOMIC_RELAXED;
#endif

#ifdef LEAT_SIMULATED_ATOMICS
inline std::uint64_t load_word(const void* word) noexcept { return sim::load_word(word); }
inline void store_word(void* word, std::uint64_t value) noexcept { sim::store_word(word, value); }
#else
/// memcpy may be reordered with nothing here: these are single aligned 8-byte accesses. `word` is 8-byte aligned.
inline std::uint64_t load_word(const void* word) noexcept {
  return __atomic_load_n(static_cast<const std::uint64_t*>(word), kWordLoadOrder);
}
inline void store_word(void* word, std::uint64_t value) noexcept {
  __atomic_store_n(static_cast<std::uint64_t*>(word), value, kWordStoreOrder);
}
#endif

/// Shared bytes -> shared bytes (arena to ring). `bytes` is a multiple of 8, both pointers 8-byte aligned.
///
/// On x86-64 in blocks of 64 and 16 bytes by vector moves: a quarter of the instructions. Assembly, because the
/// compiler may not make vectors of atomic words; what it does is the same: each word is moved once, and nothing moves
/// across it.
inline void copy_words_across(void* to_shared, const void* from_shared, std::size_t bytes) noexcept {
  auto* to = static_cast<std::byte*>(to_shared);
  const auto* from = static_cast<const std::byte*>(from_shared);
#if defined(__x86_64__) && !defined(LEAT_TSAN) && !defined(LEAT_SIMULATED_ATOMICS)
  for (; bytes >= kCacheLineBytes; bytes -= kCacheLineBytes, from += kCacheLineBytes, to += kCacheLineBytes) {
    asm volatile(
        "movdqu (%[from]), %%xmm0\n\tmovdqu 16(%[from]), %%xmm1\n\t"
        "movdqu 32(%[from]), %%xmm2\n\tmovdqu 48(%[from]), %%xmm3\n\t"
        "movdqu %%xmm0, (%[to])\n\tmovdqu %%xmm1, 16(%[to])\n\t"
        "movdqu %%xmm2, 32(%[to])\n\tmovdqu %%xmm3, 48(%[to])"
        :
        : [from] "r"(from), [to] "r"(to)
        : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
  }
  constexpr std::size_t kBlockBytes = 2 * kWordBytes;
  for (; bytes >= kBlockBytes; bytes -= kBlockBytes, from += kBlockBytes, to += kBlockBytes) {
    asm volatile("movdqu (%[from]), %%xmm0\n\tmovdqu %%xmm0, (%[to])"
                 :
                 : [from] "r"(from), [to] "r"(to)
                 : "xmm0", "memory");
  }
#endif
  for (; bytes >= kWordBytes; bytes -= kWordBytes, from += kWordBytes, to += kWordBytes)
    store_word(to, load_word(from));
}

/// Shared bytes -> private bytes. Same rules.
inline void copy_words_out(void* to_private, const void* from_shared, std::size_t bytes) noexcept {
  copy_words_across(to_private, from_shared, bytes);
}

/// Private bytes -> shared bytes. Same rules.
inline void copy_words_in(void* to_shared, const void* from_private, std::size_t bytes) noexcept {
  copy_words_across(to_shared, from_private, bytes);
}

/// memcpy for a large block that nobody here will read again soon: past the caches, whose lines it neither fetches nor
/// takes from others. What was stored is visible to other cores before anything stored afterwards.
inline void copy_streaming(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
#if defined(__x86_64__) && !defined(LEAT_TSAN)
  const std::size_t head = -reinterpret_cast<std::uintptr_t>(to) & (kCacheLineBytes - 1);
  if (bytes > head + kCacheLineBytes) {
    std::memcpy(to, from, head);
    to += head;
    from += head;
    bytes -= head;
    for (; bytes >= kCacheLineBytes; bytes -= kCacheLineBytes, to += kCacheLineBytes, from += kCacheLineBytes) {
      asm volatile(
          "movdqu (%[from]), %%xmm0\n\tmovdqu 16(%[from]), %%xmm1\n\t"
          "movdqu 32(%[from]), %%xmm2\n\tmovdqu 48(%[from]), %%xmm3\n\t"
          "movntdq %%xmm0, (%[to])\n\tmovntdq %%xmm1, 16(%[to])\n\t"
          "movntdq %%xmm2, 32(%[to])\n\tmovntdq %%xmm3, 48(%[to])"
          :
          : [from] "r"(from), [to] "r"(to)
          : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
    }
    asm volatile("sfence" : : : "memory");  // such stores are not ordered by themselves
  }
#endif
  std::memcpy(to, from, bytes);
}

template <typename Unsigned>
constexpr Unsigned align_up(Unsigned value, std::size_t alignment) noexcept {
  return static_cast<Unsigned>((value + (alignment - 1)) & ~static_cast<Unsigned>(alignment - 1));
}

/// Standalone fences, named for the two ends of the overtakable-bytes recipe.
inline void fence_release() noexcept {
#ifndef LEAT_TSAN
  thread_fence(std::memory_order_release);
#endif
}
inline void fence_acquire() noexcept {
#ifndef LEAT_TSAN
  thread_fence(std::memory_order_acquire);
#endif
}
/// Sequentially consistent fence of the sleep/wake hand-shake: also in TSan builds, where it still orders the hardware.
inline void fence_seq_cst() noexcept { thread_fence(std::memory_order_seq_cst); }

/// Asks for a cache line to read, or to write: then no store into it has to wait for the other cores to give it up.
/// Hints: they never fault, and change nothing but the time that later accesses take.
inline void prefetch_for_read(const void* line) noexcept { __builtin_prefetch(line); }
inline void prefetch_for_write(void* line) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw (%0)" : : "r"(line));  // the compiler would make it a plain prefetch for the oldest x86-64
#else
  __builtin_prefetch(line, 1);
#endif
}

inline void cpu_relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace leat::internal
