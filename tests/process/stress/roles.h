// What the processes of a stress run do, and where they report it.
#pragma once

#include <cstdint>
#include <string>

#include <leat/feed_address.h>

namespace leat::stress {

struct Plan {
  std::uint32_t producers = 8;
  std::uint32_t consumers = 4;
  std::uint32_t slow_consumers = 1;
  std::uint64_t events = 1'000'000;  ///< of each producer
  std::uint64_t max_payload_bytes = 64 * 1024;
  std::uint64_t ring_bytes = 1 << 20;
  std::uint64_t seed = 1;
  FeedAddress address = {};
  std::string page = {};  ///< file of counters, see below
};

inline constexpr std::uint32_t kMaxProducers = 64;
inline constexpr std::uint32_t kMaxConsumers = 32;

// Words of the shared page.
inline constexpr std::size_t kProducedWord = 0;     ///< + producer: events accepted
inline constexpr std::size_t kBytesWord = 64;       ///< + producer: payload bytes accepted
inline constexpr std::size_t kReadyWord = 128;      ///< consumers that have subscribed
inline constexpr std::size_t kConsumerWords = 192;  ///< + 8 * consumer: ConsumerWord
enum ConsumerWord : std::uint8_t { kDelivered, kLapped, kFellBehind, kRingBytes, kJournalBytes, kConsumerWordCount };
constexpr std::size_t consumer_word(std::uint32_t consumer, ConsumerWord word) {
  return kConsumerWords + 8 * std::size_t{consumer} + word;
}

/// Both return a process's exit status and say on standard error what is wrong.
int run_producer(const Plan& plan, std::uint32_t index);
int run_consumer(const Plan& plan, std::uint32_t index);

}  // namespace leat::stress
