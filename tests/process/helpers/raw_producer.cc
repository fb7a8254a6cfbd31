#include "process/helpers/raw_producer.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "process/helpers/words.h"
#include "support/helper_main.h"

namespace leat::test {

namespace {

template <typename T>
T value_of(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "raw producer: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}

}  // namespace

RawProducer::RawProducer(const FeedAddress& address)
    : connection_(
          value_of(client::connect_to_broker({.address = address, .role = internal::Role::producer, .name = "raw"}))) {
  internal::SharedFileSpec inbound_spec;
  internal::SharedFileSpec arena_spec;
  inbound_mapping_ = value_of(client::map_shared(connection_.fds.at(0).get(), internal::kInboundMagic,
                                                 internal::Access::read_write, false, "inbound", inbound_spec));
  arena_mapping_ = value_of(client::map_shared(connection_.fds.at(1).get(), internal::kArenaMagic,
                                               internal::Access::read_write, true, "arena", arena_spec));
  const auto& header = *reinterpret_cast<const internal::InboundHeader*>(inbound_mapping_.data());
  inbound = internal::InboundProducer(inbound_mapping_.data(), inbound_spec.capacity, header.max_producers);
  arena = internal::ArenaWriter(arena_mapping_.data(), arena_spec.capacity, 0);
}

std::uint64_t RawProducer::encode(const Event& event) {
  const std::size_t length =
      internal::record_length(event.topic.size(), event.key.size(), event.message_id.size(), event.payload.size());
  record_bytes_ = internal::padded_record_bytes(length);
  std::byte* const room = arena.reserve(record_bytes_);
  if (room == nullptr) {
    std::fprintf(stderr, "raw producer: the arena is full\n");
    std::exit(1);
  }
  internal::encode_event(room, event, event.payload.size(), next_producer_sequence_, 0);
  arena.seal(static_cast<std::uint32_t>(record_bytes_), 1, next_producer_sequence_);
  return internal::full_slot(connection_.welcome.slot,
                             connection_.welcome.generation & ((1U << internal::kGenerationBits) - 1), arena.tail());
}

void RawProducer::advance() {
  arena.advance(record_bytes_);
  ++next_producer_sequence_;
}

namespace {

// Takes a ticket, then says which on the page, then gets the signal `signal`. Should it live on: fills the ticket,
// takes new ones while that is refused, and tells how many it took.
int run_raw(const HelperArguments& arguments) {
  const SharedPage page(arguments.page());
  RawProducer producer(arguments.address());
  page[kReadyWord].fetch_add(1);
  page.wait_for(kGoWord, 1);
  const std::uint64_t full = producer.encode({.topic = "raw.event", .payload = "from the raw producer"});
  std::uint64_t ticket = producer.inbound.take_ticket();
  page[kResultWord].store(ticket + 1);
  std::raise(static_cast<int>(arguments.number("signal")));
  std::uint64_t tickets = 1;
  internal::Fill filled{};
  while ((filled = producer.inbound.fill(ticket, full)) == internal::Fill::skipped) {
    ticket = producer.inbound.take_ticket();
    ++tickets;
  }
  producer.advance();
  producer.inbound.wake_sequencer();
  page[kResultWord + 1].store(tickets);
  page.wait_for(kStopWord, 1);
  return filled == internal::Fill::ok ? 0 : 1;
}
const HelperRegistration kRaw("raw_producer", &run_raw);

// Publishes an event whose bytes it takes away before the broker reads them.
int run_truncater(const HelperArguments& arguments) {
  RawProducer producer(arguments.address());
  const std::uint64_t full = producer.encode({.topic = "raw.event", .payload = "never to be read"});
  if (::ftruncate(producer.arena_fd(), 0) != 0) return 1;
  // From here on our own arena is gone for us too: only the ring is touched.
  if (producer.inbound.fill(producer.inbound.take_ticket(), full) != internal::Fill::ok) return 1;
  producer.inbound.wake_sequencer();
  return 0;
}
const HelperRegistration kTruncater("arena_truncater", &run_truncater);

}  // namespace
}  // namespace leat::test
