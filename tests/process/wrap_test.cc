// Ring, arena, ticket lap and segment crossed hundreds of times, with every byte compared.
#include <array>
#include <string>
#include <thread>

#include "process/load.h"

namespace leat::test {
namespace {

struct Sizes {
  std::uint64_t ring_bytes;
  std::uint64_t segment_bytes;
  std::uint64_t max_payload;
};

class WrapAround : public LoadTest, public testing::WithParamInterface<Sizes> {
 protected:
  void SetUp() override {
    LoadTest::SetUp();
    const Sizes& sizes = GetParam();
    max_payload_ = sizes.max_payload;
    broker_->set("--ring-bytes", sizes.ring_bytes);
    broker_->set("--segment-bytes", sizes.segment_bytes);
    broker_->set("--max-event-bytes", sizes.max_payload + 128);
    broker_->set("--inbound-slots", "64");
    broker_->set("--max-producers", "8");
    broker_->set("--arena-bytes", "4K");
  }
};

TEST_P(WrapAround, HundredsOfTimesKeepsEveryByteForReadersAtAnyPace) {
  start();
  add_consumer();
  add_consumer({"delay_us=5"});
  const std::uint64_t each = scaled(20'000);
  for (int i = 0; i < 3; ++i) add_producer({"count=" + std::to_string(each)});
  finish_producers();
  finish_consumers();
  check_journal();
  const FeedStatus now = status();
  EXPECT_EQ(now.latest_sequence, 3 * each);
  EXPECT_GT(now.committed_position / now.ring_bytes, scaled(100)) << "laps of the ring";
  EXPECT_GT(now.segments, scaled(100));
  EXPECT_GT(3 * each / now.inbound_slots, scaled(200)) << "laps of the tickets";
  EXPECT_EQ(now.bad_tickets + now.refused_entries + now.ring_repairs, 0U);
}

// The same with old segments recycled under the readers, who keep up.
TEST_P(WrapAround, ThroughRecycledSegmentsKeepsEveryByteForAReaderThatKeepsUp) {
  broker_->set("--retain-bytes", 4 * GetParam().segment_bytes);
  start();
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer();
  const SizeMix mix{.max_bytes = max_payload_};
  EventChecker checker(test_seed(), mix);
  checker.expect_sequence(1);
  Generated generated;
  const std::uint64_t count = scaled(40'000);
  for (std::uint64_t number = 0; number < count; ++number) {
    auto sent = producer.publish(generated.make(test_seed(), 0, number, mix));
    ASSERT_TRUE(sent.ok()) << sent.error().message;
    constexpr std::uint64_t kTogether = 8;
    while (number % kTogether == 0 && checker.count() <= number) {
      ASSERT_TRUE(checker.take(take_event(consumer))) << checker.error();
    }
  }
  while (checker.count() < count) ASSERT_TRUE(checker.take(take_event(consumer))) << checker.error();
  EXPECT_GT(status().recycled_segments + status().pruned_segments, scaled(100));
  EXPECT_GT(status().recycled_segments, 0U);
  // Segments leave only after their last sync; then no more than are to be retained stay.
  while (status().segments > 4) std::this_thread::sleep_for(milliseconds(5));
}

// Entries of half an arena, records of a quarter of the ring: the largest that there can be, one after the other.
TEST_P(WrapAround, WithTheLargestEventsAndBatchesThatFit) {
  broker_->set("--max-event-bytes", GetParam().ring_bytes / 4 < 1900 ? GetParam().ring_bytes / 4 : 1900);
  start();
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer();
  constexpr std::size_t kHeader = 48;
  const std::size_t largest = producer.max_event_bytes() - kHeader - 1;
  Prng prng(test_seed());
  std::uint64_t sequence = 0;
  for (std::uint64_t i = 0; i < scaled(3000); ++i) {
    const std::string payload(largest - prng.below(16), static_cast<char>('a' + i % 26));
    const std::array<Event, 3> batch = {Event{.topic = "b"}, Event{.topic = "b", .payload = "x"}, Event{.topic = "b"}};
    ASSERT_TRUE(producer.publish({.topic = "t", .payload = payload}).ok());
    if (i % 3 == 0) {
      ASSERT_TRUE(producer.publish_batch(batch).ok());
    }
    const EventView event = take_event(consumer);
    ASSERT_EQ(event.sequence, ++sequence);
    ASSERT_EQ(event.payload, payload);
    for (std::size_t j = 0; i % 3 == 0 && j < batch.size(); ++j) {
      const EventView member = take_event(consumer);
      ASSERT_EQ(member.sequence, ++sequence);
      ASSERT_EQ(member.more_in_batch, j + 1 < batch.size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, WrapAround,
                         testing::Values(Sizes{4 << 10, 16 << 10, 800}, Sizes{16 << 10, 32 << 10, 1500},
                                         Sizes{64 << 10, 64 << 10, 1900}),
                         [](const auto& given) { return "Ring" + std::to_string(given.param.ring_bytes >> 10) + "K"; });

}  // namespace
}  // namespace leat::test
