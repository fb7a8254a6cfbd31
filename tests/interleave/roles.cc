#include "tests/interleave/roles.h"

#include <algorithm>
#include <limits>

namespace leat::sim {

using namespace internal;

std::string payload_of(std::uint32_t id, std::uint64_t number, bool in_batch) {
  const std::string name = std::to_string(id) + ":" + std::to_string(number) + ";";
  const std::size_t bytes = in_batch ? 8 + (number * 7 + id) % 24 : 8 + (number * 13 + id * 29) % 88;
  std::string payload;
  while (payload.size() < bytes) payload += name;
  payload.resize(bytes);
  return payload;
}

void ProducerRole::attach(std::byte* inbound, std::uint64_t slots, std::uint32_t producers, std::byte* arena,
                          std::uint64_t arena_bytes, std::uint64_t ring_bytes) {
  auto impl =
      std::make_unique<Producer::Impl>(ProducerOptions{.idle = Idle::block, .publish_timeout = std::chrono::hours(1)});
  client::Registration& registration = impl->link_.registration_;
  registration.inbound_ = InboundProducer(inbound, slots, producers);
  registration.arena_ = ArenaWriter(arena, arena_bytes, 0);
  registration.slot_ = slot();
  registration.producer_id_ = id_;
  registration.broker_life_ = 1;
  registration.ticket_base_ = full_slot(slot(), 1, 0);
  registration.id_ = id_;
  WelcomeMessage welcome{};
  welcome.max_record_bytes = welcome.max_batch_bytes = static_cast<std::uint32_t>(ring_bytes / 4);
  impl->bounds_.set(welcome, arena_bytes);
  // No real clock decides what is looked at.
  impl->link_.quiet_ns_ = impl->link_.next_connection_look_ns_ = std::numeric_limits<std::int64_t>::max();
  impl_ = impl.get();
  producer_ = std::unique_ptr<Producer>(new Producer(std::move(impl)));
}

std::uint64_t ProducerRole::open_position() const { return impl_->registration().arena().tail_; }

bool ProducerRole::has_work() const {
  if (!waits_for_receipt_) return false;
  const std::byte* const entry = impl_->registration().arena().place(receipt_position_);
  return Memory::newest(entry, 8) != 0;
}

void ProducerRole::publish_one(std::uint64_t number, std::uint32_t count) {
  Event events[2];
  for (std::uint32_t i = 0; i < count; ++i) {
    payloads_[i] = payload_of(id_, number + i, count > 1);
    events[i] = {.topic = "t", .payload = payloads_[i]};
  }
  published.push_back({.first = number, .count = count, .begun = time_.tick()});
  in_publish_ = true;
  auto receipt = count == 1 ? producer_->publish(events[0]) : producer_->publish_batch(std::span(events, count));
  in_publish_ = false;
  if (!receipt) {
    scheduler_.fail("producer " + std::to_string(id_) + " could not publish: " + receipt.error().message);
    return;
  }
  published.back().returned = time_.tick();
  if (!random_.once_in(3)) return;
  receipt_position_ = receipt->arena_position;
  waits_for_receipt_ = true;
  auto sequence = producer_->wait(*receipt, Ack::committed, std::chrono::hours(1));
  waits_for_receipt_ = false;
  if (!sequence) {
    scheduler_.fail("producer " + std::to_string(id_) + " got no receipt: " + sequence.error().message);
    return;
  }
  published.back().told_sequence = *sequence;
}

void ProducerRole::run() {
  for (std::uint64_t number = 1; number <= events_;) {
    const std::uint32_t count = number < events_ && random_.once_in(4) ? 2 : 1;
    publish_one(number, count);
    number += count;
  }
}

void ConsumerRole::attach(std::byte* ring, std::uint64_t ring_bytes, DoorbellHeader* doorbell, const std::byte* journal,
                          std::uint64_t feed_seed) {
  ring_ = BroadcastReader(ring, ring_bytes);
  doorbell_ = doorbell;
  journal_ = journal;
  feed_seed_ = feed_seed;
  buffer_.assign(ring_bytes / kWordBytes, 0);
}

void ConsumerRole::take(std::uint64_t bytes, const char* source) {
  const std::uint64_t begin = position_;
  const std::string fault =
      walk_records(reinterpret_cast<const std::byte*>(buffer_.data()), bytes, begin, feed_seed_,
                   [&](std::uint64_t, const RecordView& record) {
                     if (record.header.type != static_cast<std::uint16_t>(RecordType::event)) return;
                     if (record.header.sequence != last_sequence() + 1) {
                       scheduler_.fail(name_ + " got sequence " + std::to_string(record.header.sequence) + " after " +
                                       std::to_string(last_sequence()));
                     }
                     received.push_back({record.header.producer_id, record.header.producer_sequence});
                   });
  if (!fault.empty()) scheduler_.fail(name_ + " accepted a torn copy from the " + source + ": " + fault);
  position_ = begin + bytes;
}

// As client-lib/read does it: from the ring while the position is in its window, else from the journal.
void ConsumerRole::run() {
  constexpr std::int64_t kTimeoutNs = 50'000'000;
  for (;;) {
    const std::uint64_t committed = ring_.committed();
    if (committed == position_) {
      const Place latest = ring_.read_latest();
      places[latest.position] = latest.sequence;
      sleep_on(doorbell_->live_sleepers, ring_.header().committed, committed, kTimeoutNs);
      continue;
    }
    const std::uint64_t bytes = std::min<std::uint64_t>(committed - position_, buffer_.size() * kWordBytes);
    if (ring_.in_window(position_) && bytes == committed - position_) {
      if (ring_.copy(position_, bytes, buffer_.data())) {
        take(bytes, "ring");
        continue;
      }
      ++lapped;
    }
    // The journal's bytes are plain memory here: what lies below `committed` does not change.
    const std::uint64_t first_length = Memory::newest(journal_ + position_ + offsetof(RecordHeader, length), 4);
    const std::uint64_t one = padded_record_bytes(first_length);
    std::copy_n(journal_ + position_, one, reinterpret_cast<std::byte*>(buffer_.data()));
    take(one, "journal");
  }
}

}  // namespace leat::sim
