// The shared pages that producers and consumers can write, as hostile ones write them: the inbound ring (tickets, tail,
// head, header), an arena (entries, header), the doorbell. A sequencer steps over them beside an honest producer.
//
// Whatever was written: the journal holds good records only, to its end, in one order; what the honest producer was
// told is accepted is there once, in its order, byte for byte; nobody else's events carry its name.
#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "broker/sequence/sequencer.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::fuzz {
namespace {

using namespace internal;
using test::FeedProducer;
using test::OneFeed;

// Publishes as client-lib does, and gives up as it does.
class Honest {
 public:
  explicit Honest(OneFeed& feed) : producer_(feed.add_producer()) {}

  void publish(std::size_t payload_bytes) {
    const std::string payload = "honest " + std::to_string(accepted_.size()) + std::string(payload_bytes, '.');
    const Event event{.topic = "fuzz.honest", .payload = payload};
    const std::size_t padded = padded_record_bytes(record_length(event.topic.size(), 0, 0, payload.size()));
    std::byte* const room = producer_.arena.reserve(padded);
    if (room == nullptr) return;
    encode_event(room, event, payload.size(), accepted_.size() + 1, 0);
    producer_.arena.seal(static_cast<std::uint32_t>(padded), 1, accepted_.size() + 1);
    const auto& registration = producer_.registration;
    const std::uint64_t full =
        full_slot(registration.slot, registration.generation & ((1U << kGenerationBits) - 1), producer_.arena.tail());
    Fill filled = Fill::skipped;
    while (filled == Fill::skipped && producer_.ring.has_room()) {
      filled = producer_.ring.fill(producer_.ring.take_ticket(), full);
    }
    if (filled != Fill::ok) return producer_.arena.unseal();
    producer_.arena.advance(padded);
    accepted_.push_back(payload);
  }

  [[nodiscard]] const std::vector<std::string>& accepted() const { return accepted_; }
  [[nodiscard]] const FeedProducer& producer() const { return producer_; }

 private:
  FeedProducer producer_;
  std::vector<std::string> accepted_;
};

// Writes over all that a producer and a consumer have mapped, as the input says.
class Hostile {
 public:
  explicit Hostile(OneFeed& feed) : feed_(feed), producer_(feed.add_producer()) {}

  void act(Reader& reader, const FeedProducer& victim) {
    std::byte* const ring = producer_.ring_mapping.data();
    std::byte* const arena = producer_.mapping.data();
    const std::uint64_t slots = feed_.options.inbound_slots;
    auto* const slot = ring + kInboundSlotsOffset + (reader.byte() % slots) * kWordBytes;
    switch (reader.below(12)) {
      case 0: store_word(slot, reader.odd_number()); break;
      case 1: store_word(slot, empty_slot(reader.below(8))); break;
      case 2: {
        const auto producer = static_cast<std::uint32_t>(reader.below(16));
        const std::uint32_t generation = reader.byte();
        store_word(slot, full_slot(producer, generation, reader.odd_number()));
        break;
      }
      case 3: {  // a ticket in the name of the honest one
        const std::uint64_t near = victim.arena.tail() + 64 * reader.below(64);
        store_word(slot, full_slot(victim.registration.slot, victim.registration.generation, near));
        break;
      }
      case 4: {  // the ring's header: tail, head, sleeping and feed_state, broker_life, magic, state, ...
        static constexpr std::size_t kWords[] = {64, 128, 192, 200, 0, 8, 40, 48, 256};
        store_word(ring + kWords[reader.below(std::size(kWords))], reader.odd_number());
        break;
      }
      case 5: store_word(ring + 64, feed_.inbound().head() + reader.below(128)); break;
      case 6: store_word(arena + 64 + 8 * reader.below(20), reader.odd_number()); break;
      case 7: {
        const Bytes bytes = reader.bytes(1 + reader.below(64));
        std::memcpy(arena + kArenaDataOffset + reader.below(4096 - 64), bytes.data(), bytes.size());
        break;
      }
      case 8: publish(reader); break;
      case 9: (void)producer_.ring.take_ticket(); break;
      case 10: store_word(feed_.files->doorbell.data() + 8 * reader.below(512), reader.odd_number()); break;
      default: {  // a field of an entry's header or record, at the next place
        std::byte* const entry = arena + kArenaDataOffset + (producer_.arena.tail() & 4095);
        static constexpr std::size_t kFields[] = {0, 8, 12, 16, 24, 32 + 8, 32 + 12, 32 + 32, 32 + 40, 32 + 44};
        const auto value = reader.odd_number();
        std::memcpy(entry + kFields[reader.below(std::size(kFields))], &value, 4);
      }
    }
  }

  [[nodiscard]] const FeedProducer& producer() const { return producer_; }
  [[nodiscard]] std::byte* arena() { return producer_.mapping.data() + kArenaDataOffset; }

 private:
  // An entry that is good but for what the input changes of it.
  void publish(Reader& reader) {
    const Event event{.topic = "fuzz.hostile", .key = "k", .payload = reader.text()};
    const auto position = producer_.stage(std::vector<Event>(1 + reader.below(4), event));
    if (!position) return;
    for (std::uint64_t changes = reader.below(4); changes > 0; --changes) {
      const std::size_t at = reader.below(kEntryHeaderBytes + 2 * kRecordHeaderBytes);
      *(reinterpret_cast<std::byte*>(&producer_.header(*position)) + at) = std::byte{reader.byte()};
    }
    const std::uint64_t full = full_slot(producer_.registration.slot, producer_.registration.generation, *position);
    for (int tries = 0; tries < 4; ++tries) {
      if (producer_.ring.fill(producer_.ring.take_ticket(), full) == Fill::ok) break;
    }
  }

  OneFeed& feed_;
  FeedProducer producer_;
};

void step(OneFeed& feed) {
  feed.prepare_segments(static_cast<int>(2 - feed.handover->prepared.read_available()));
  for (int i = 0; i < 200 && feed.step(); ++i) {
  }
  LEAT_FUZZ_CHECK(feed.failures.empty());
}

// Nobody scribbles any more: all that is owed comes in.
void settle(OneFeed& feed) {
  for (int idle = 0; idle < 6; ++idle) {
    const std::uint64_t head = feed.inbound().head();
    feed.sequencer->take_commands();
    step(feed);
    feed.inbound().repair_head();
    const bool skipped = feed.sequencer->try_skip();
    const bool taken = feed.sequencer->take_lost_tickets();
    if (skipped || taken || head != feed.inbound().head()) idle = 0;
  }
  step(feed);
}

void check(OneFeed& feed, const Honest& honest, const Hostile& hostile) {
  const auto records = feed.journaled_records();
  std::uint64_t bytes = 0;
  for (const RecordHeader& record : records) bytes += padded_record_bytes(record.length);
  LEAT_FUZZ_CHECK(bytes == feed.sequencer->position());  // good records only, to the end
  std::size_t next = 0;
  std::uint64_t sequence = 0;
  for (const test::JournaledEvent& event : feed.journaled()) {
    LEAT_FUZZ_CHECK(event.sequence == ++sequence);
    LEAT_FUZZ_CHECK(topic_is_valid(event.topic));
    if (event.producer_id != honest.producer().registration.producer_id) {
      LEAT_FUZZ_CHECK(event.producer_id == hostile.producer().registration.producer_id);
      continue;
    }
    LEAT_FUZZ_CHECK(next < honest.accepted().size());
    LEAT_FUZZ_CHECK(event.topic == "fuzz.honest" && event.payload == honest.accepted()[next]);
    LEAT_FUZZ_CHECK(event.producer_sequence == ++next);
  }
  LEAT_FUZZ_CHECK(next == honest.accepted().size());  // all that was accepted
  LEAT_FUZZ_CHECK(sequence == feed.sequencer->sequence());
  LEAT_FUZZ_CHECK(feed.slot(honest.producer()).revoked.load() == 0);
  // What consumers find in the ring is what the journal holds.
  const std::uint64_t end = feed.ring().header().committed.load();
  LEAT_FUZZ_CHECK(end == feed.sequencer->position());
  LEAT_FUZZ_CHECK(feed.ring().header().intent.load() - end <= feed.options.ring_bytes / 2);
}

}  // namespace

LEAT_FUZZ_TARGET(shared_pages) {
  OneFeed feed;
  Honest honest(feed);
  Hostile hostile(feed);
  Reader reader(input);
  for (int acts = 0; acts < 200 && !reader.done(); ++acts) {
    switch (const std::uint8_t what = reader.byte(); what % 4) {
      case 0: honest.publish(what); break;
      case 1: step(feed); break;
      default: hostile.act(reader, honest.producer());
    }
  }
  settle(feed);
  honest.publish(7);
  settle(feed);
  check(feed, honest, hostile);
}

// The same with memory that changes between two reads: a thread flips words of the hostile arena, of the ring's slots
// and of its header between two values each, as fast as it can, while the sequencer steps.
LEAT_FUZZ_TARGET(changing_pages) {
  OneFeed feed;
  Honest honest(feed);
  Hostile hostile(feed);
  struct Flip {
    std::byte* at;
    std::uint64_t one;
    std::uint64_t other;
  };
  std::vector<Flip> flips;
  Reader reader(input);
  for (std::uint64_t count = 1 + reader.below(6); count > 0; --count) {
    const bool in_arena = reader.below(3) != 0;
    std::byte* const at = in_arena ? hostile.arena() + 8 * reader.below(64)
                                   : feed.files->inbound.data() + kInboundSlotsOffset + 8 * reader.below(64);
    flips.push_back({.at = at, .one = load_word(at), .other = reader.odd_number()});
  }
  std::atomic<bool> stop{false};
  std::atomic<bool> started{false};
  std::thread flipper([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      for (const Flip& flip : flips) {
        store_word(flip.at, flip.other);
        store_word(flip.at, flip.one);
      }
      started.store(true);
    }
  });
  while (!started.load()) std::this_thread::yield();
  for (int acts = 0; acts < 60 && !reader.done(); ++acts) {
    const std::uint8_t what = reader.byte();
    if (what % 4 == 0) honest.publish(what);
    else if (what % 4 == 1) step(feed);
    else hostile.act(reader, honest.producer());
  }
  for (int i = 0; i < 3; ++i) step(feed);
  stop.store(true);
  flipper.join();
  settle(feed);
  honest.publish(7);
  settle(feed);
  check(feed, honest, hostile);
}

}  // namespace leat::fuzz
