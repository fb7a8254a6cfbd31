// Hostile and broken producers: every refusal, and that nothing of it reaches anybody else (I8).
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "broker/sequence/sequencer.h"
#include "tests/unit/fixtures/log_capture.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::FeedProducer;
using test::OneFeed;

const Event kGood{.topic = "unit.good", .key = "key", .message_id = "id", .payload = "payload"};

template <typename T>
void poke(std::byte* records, std::size_t offset, T value) {
  std::memcpy(records + offset, &value, sizeof value);
}
void poke_type(std::byte* record, std::uint16_t type) { poke(record, offsetof(RecordHeader, type), type); }
void poke_flags(std::byte* record, std::uint16_t flags) { poke(record, offsetof(RecordHeader, flags), flags); }
std::size_t padded(const Event& event) { return record_bytes_of(event); }

const Header kHeaders[] = {{.name = "a", .value = "1"}, {.name = "b", .value = "2"}};
const Event kWithHeaders{.topic = "t", .key = "k", .payload = "payload", .headers = kHeaders};
constexpr std::size_t kHeadersAt = kRecordHeaderBytes + 2;  // behind topic and key; 5 bytes a header

struct Spoiled {
  const char* name;
  Refusal reason;
  std::vector<Event> events;
  std::function<void(EntryHeader&, std::byte* records)> spoil;
};

void PrintTo(const Spoiled& spoiled, std::ostream* out) { *out << spoiled.name; }

class SequencerRefusal : public ::testing::TestWithParam<Spoiled> {};

// Published between two good events of another producer, and followed by a good one of the same.
TEST_P(SequencerRefusal, TellsTheProducerWhyAndLeavesNoTrace) {
  OneFeed feed;
  const test::LogCapture log;
  FeedProducer bad = feed.add_producer(16384);
  FeedProducer good = feed.add_producer();
  ASSERT_TRUE(good.publish(kGood));
  const auto position = bad.stage(GetParam().events);
  ASSERT_TRUE(position.has_value());
  GetParam().spoil(bad.header(*position), bad.records(*position));
  bad.publish_ticket(*position);
  ASSERT_TRUE(good.publish(kGood));
  feed.drain();
  EXPECT_EQ(bad.status(*position), CompletionStatus::refused);
  EXPECT_EQ(static_cast<Refusal>(bad.value(*position)), GetParam().reason);
  EXPECT_EQ(feed.counters().refused_entries.load(), 1u);
  EXPECT_EQ(bad.arena.header().refused_events.load(), bad.header(*position).count) << "it may wait for no receipt";
  EXPECT_EQ(bad.arena.header().last_refusal.load(), GetParam().reason);
  EXPECT_EQ(log.count("refused: an entry of "), 1) << "nor may anybody else ask: " << log.text();
  EXPECT_TRUE(log.says("of producer " + std::to_string(bad.registration.producer_id) + " (")) << log.text();
  auto events = feed.journaled();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].sequence, 2u);
  EXPECT_EQ(events[1].payload, kGood.payload);
  EXPECT_EQ(feed.slot(bad).revoked.load(), 0u) << "one bad event does not end a producer";
  EXPECT_EQ(bad.arena.header().consumed.load(), bad.arena.tail()) << "a refused entry frees its room";

  bad.next_sequence = bad.header(*position).producer_sequence + bad.header(*position).count;
  ASSERT_TRUE(bad.publish(kGood));
  feed.drain();
  events = feed.journaled();
  ASSERT_EQ(events.size(), 3u) << "the sequence after a refusal must still follow on";
  EXPECT_EQ(events[2].producer_id, bad.registration.producer_id);
}

const auto kNothing = [](EntryHeader&, std::byte*) {};
const std::string kLong(1000, 'x');

INSTANTIATE_TEST_SUITE_P(Records, SequencerRefusal,
                         ::
                             testing::Values(Spoiled{"LengthBelowItsFields",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke(r, 8, 49U); }},
                                             Spoiled{"LengthZero",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke(r, 8, 0U); }},
                                             Spoiled{"LengthBeyondTheEntry",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke(r, 8, 200U); }},
                                             Spoiled{"LengthBeyondTheFeed",
                                                     Refusal::too_large,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke(r, 8, 1025U); }},
                                             Spoiled{"LengthOfFourGigabytes",
                                                     Refusal::too_large,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke(r, 8, ~0U); }},
                                             Spoiled{"LengthShorterThanTheEntry",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke(r, 8, 64U); }},
                                             Spoiled{"TopicBeyondTheRecord",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { r[44] = std::byte{255}; }},
                                             Spoiled{"KeyBeyondTheRecord",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { r[45] = std::byte{255}; }},
                                             Spoiled{"IdBeyondTheRecord",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { r[46] = std::byte{255}; }},
                                             Spoiled{"HeadersBeyondTheRecord",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { r[47] = std::byte{1}; }},
                                             Spoiled{"TypeZero",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke_type(r, 0); }},
                                             Spoiled{"ForgedMark",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke_type(r, 2); }},
                                             Spoiled{"ForgedSegmentEnd",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke_type(r, 3); }},
                                             Spoiled{"ForgedGap",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke_type(r, 4); }},
                                             Spoiled{"BatchThatNeverEnds",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke_flags(r, 1); }},
                                             Spoiled{"CleanCloseFlag",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke_flags(r, 2); }},
                                             Spoiled{"UnknownFlag",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke_flags(r, 1 << 15); }},
                                             Spoiled{"BatchEndsTooEarly",
                                                     Refusal::bad_record,
                                                     {kGood, kGood},
                                                     [](auto&, auto* r) { poke_flags(r, 0); }},
                                             Spoiled{"SecondOfBatchIsBad",
                                                     Refusal::bad_record,
                                                     {kGood, kGood},
                                                     [](auto&, auto* r) { poke(r + padded(kGood), 8, 1U); }},
                                             Spoiled{"MoreRecordsThanRoom",
                                                     Refusal::bad_record,
                                                     {kGood, kGood},
                                                     [](auto& e, auto* r) {
                                                       e.count = 3;
                                                       poke_flags(r + padded(kGood), 1);
                                                     }},
                                             Spoiled{"FewerRecordsThanRoom",
                                                     Refusal::bad_record,
                                                     {kGood, kGood},
                                                     [](auto& e, auto* r) {
                                                       e.count = 1;
                                                       poke_flags(r, 0);
                                                     }},
                                             Spoiled{"TopicWithASpace",
                                                     Refusal::bad_topic,
                                                     {kGood},
                                                     [](auto&, auto* r) { r[48] = std::byte{' '}; }},
                                             Spoiled{"TopicWithAWildcard",
                                                     Refusal::bad_topic,
                                                     {kGood},
                                                     [](auto&, auto* r) { r[48] = std::byte{'*'}; }},
                                             Spoiled{"TopicWithAnEmptyToken",
                                                     Refusal::bad_topic,
                                                     {kGood},
                                                     [](auto&, auto* r) { r[48] = std::byte{'.'}; }},
                                             Spoiled{"TopicOutsideAscii",
                                                     Refusal::bad_topic,
                                                     {kGood},
                                                     [](auto&, auto* r) { r[48] = std::byte{0xc3}; }},
                                             Spoiled{"EmptyTopic",
                                                     Refusal::bad_topic,
                                                     {Event{.topic = "", .payload = "p"}},
                                                     kNothing},
                                             Spoiled{"HeaderNameWithABlank",
                                                     Refusal::bad_headers,
                                                     {kWithHeaders},
                                                     [](auto&, auto* r) { r[kHeadersAt + 3] = std::byte{' '}; }},
                                             Spoiled{"HeaderNameTwice",
                                                     Refusal::bad_headers,
                                                     {kWithHeaders},
                                                     [](auto&, auto* r) { r[kHeadersAt + 8] = std::byte{'a'}; }},
                                             Spoiled{"HeaderBeyondTheHeaders",
                                                     Refusal::bad_headers,
                                                     {kWithHeaders},
                                                     [](auto&, auto* r) { r[kHeadersAt + 2] = std::byte{1}; }},
                                             Spoiled{"HeadersWithoutAHeader",
                                                     Refusal::bad_headers,
                                                     {kWithHeaders},
                                                     [](auto&, auto* r) { r[kHeadersAt] = std::byte{0}; }},
                                             Spoiled{"BytesBehindTheHeaders",
                                                     Refusal::bad_headers,
                                                     {kWithHeaders},
                                                     [](auto&, auto* r) { r[kHeadersAt + 31] = std::byte{1}; }},
                                             Spoiled{"TombstoneWithAPayload",
                                                     Refusal::bad_record,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke_flags(r, kFlagTombstone); }},
                                             Spoiled{"TombstoneWithoutAKey",
                                                     Refusal::bad_record,
                                                     {Event{.topic = "t"}},
                                                     [](auto&, auto* r) { poke_flags(r, kFlagTombstone); }},
                                             Spoiled{"RecordSequenceOff",
                                                     Refusal::bad_sequence,
                                                     {kGood},
                                                     [](auto&, auto* r) { poke(r, 32, 99ULL); }},
                                             Spoiled{"EntryTooLarge",
                                                     Refusal::too_large,
                                                     {Event{.topic = "t", .payload = kLong},
                                                      Event{.topic = "t", .payload = kLong}},
                                                     kNothing}),
                         [](const auto& given) { return std::string(given.param.name); });

// A record that says more than its entry holds, at a place where the announced bytes end soon.
TEST(SequencerStamping, StoresNothingBeyondWhatReadersWereTold) {
  OneFeed feed;
  FeedProducer bad = feed.add_producer(16384);
  FeedProducer good = feed.add_producer();
  const std::uint64_t step = feed.options.ring_bytes / 16;  // how far ahead it is announced
  const auto left = [&] { return step - feed.ring().header().committed.load() % step; };
  do {
    ASSERT_TRUE(good.publish(kGood));
    feed.drain();
  } while (left() < padded(kGood) || left() >= 2 * padded(kGood));
  const auto position = bad.stage({kGood});
  ASSERT_TRUE(position.has_value());
  std::memset(bad.records(*position) + padded(kGood), 0xee, 1024);
  poke(bad.records(*position), offsetof(RecordHeader, length), 1024U);
  bad.publish_ticket(*position);
  feed.drain();
  EXPECT_EQ(static_cast<Refusal>(bad.value(*position)), Refusal::bad_record);
  const std::uint64_t told = feed.ring().header().intent.load();
  ASSERT_LT(told, feed.options.ring_bytes - 1024) << "the first lap: nothing stood there before";
  for (std::uint64_t at = told; at < told + 1024; ++at) ASSERT_EQ(*feed.ring().place(at), std::byte{0}) << at - told;
}

class RevokedEntry : public ::testing::TestWithParam<std::pair<const char*, void (*)(EntryHeader&)>> {};

TEST_P(RevokedEntry, EndsItsProducerAndNobodyElse) {
  OneFeed feed;
  FeedProducer bad = feed.add_producer();
  FeedProducer good = feed.add_producer();
  const auto position = bad.stage({kGood});
  ASSERT_TRUE(position.has_value());
  GetParam().second(bad.header(*position));
  bad.publish_ticket(*position);
  ASSERT_TRUE(good.publish(kGood));
  feed.drain();
  EXPECT_EQ(bad.arena.header().state.load(), ArenaState::revoked);
  EXPECT_EQ(feed.slot(bad).revoked.load(), 1u);
  LaneNotice notice;
  ASSERT_TRUE(feed.lanes->notices.pop(notice));
  EXPECT_EQ(notice.kind, LaneNotice::Kind::revoked);
  EXPECT_EQ(notice.slot, bad.registration.slot);
  EXPECT_EQ(notice.reason, Refusal::bad_entry);
  EXPECT_GT(feed.control_wakes, 0);
  ASSERT_TRUE(bad.publish(kGood));
  ASSERT_TRUE(good.publish(kGood));
  feed.drain();
  EXPECT_EQ(feed.counters().bad_tickets.load(), 1u) << "nothing more is taken from it";
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), 2u);
  for (const auto& event : events) EXPECT_EQ(event.producer_id, good.registration.producer_id);
}

INSTANTIATE_TEST_SUITE_P(
    Headers, RevokedEntry,
    ::testing::Values(std::pair{"CountZero", +[](EntryHeader& e) { e.count = 0; }},
                      std::pair{"CountTooHigh", +[](EntryHeader& e) { e.count = kMaxEntryRecords + 1; }},
                      std::pair{"NoRecordBytes", +[](EntryHeader& e) { e.record_bytes = 0; }},
                      std::pair{"LessThanARecord", +[](EntryHeader& e) { e.record_bytes = 40; }},
                      std::pair{"UnalignedBytes", +[](EntryHeader& e) { e.record_bytes += 1; }},
                      std::pair{"MoreThanHalfTheArena", +[](EntryHeader& e) { e.record_bytes = 2048; }},
                      std::pair{"FourGigabytes", +[](EntryHeader& e) { e.record_bytes = 0xfffffff8; }},
                      std::pair{"PositionOfAnotherLap", +[](EntryHeader& e) { e.position += 4096; }},
                      std::pair{"PositionBeforeItself", +[](EntryHeader& e) { e.position -= 64; }}),
    [](const auto& given) { return std::string(given.param.first); });

TEST(SequencerSequences, RefusesAProducerSequenceThatLeavesAHole) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(kGood));
  producer.next_sequence = 5;
  ASSERT_TRUE(producer.publish(kGood));
  feed.drain();
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::refused);
  EXPECT_EQ(static_cast<Refusal>(producer.value(producer.last_position)), Refusal::bad_sequence);
  EXPECT_EQ(feed.journaled().size(), 1u);
  ASSERT_TRUE(producer.publish(kGood)) << "6 follows on what was refused";
  feed.drain();
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::committed);
}

TEST(SequencerSequences, RefusesARepeatedProducerSequenceThatTheJournalDoesNotHold) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(kGood));
  producer.next_sequence = 1;
  ASSERT_TRUE(producer.publish(kGood));
  feed.drain();
  EXPECT_EQ(static_cast<Refusal>(producer.value(producer.last_position)), Refusal::bad_sequence);
  EXPECT_EQ(feed.journaled().size(), 1u);
  EXPECT_EQ(feed.counters().duplicates.load(), 0u);
}

TEST(SequencerSequences, IsNotTrickedByASequenceThatOverflows) {
  for (const std::uint64_t sequence : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    OneFeed feed;
    FeedProducer producer = feed.add_producer();
    producer.next_sequence = sequence;
    ASSERT_TRUE(producer.publish({kGood, kGood}));
    feed.drain();
    EXPECT_EQ(static_cast<Refusal>(producer.value(producer.last_position)), Refusal::bad_sequence);
    EXPECT_TRUE(feed.journaled().empty());
  }
}

TEST(SequencerTopics, RefusesAnEmptyTopicAlsoAsTheFirstEventOfAll) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(Event{.topic = "", .payload = "p"}));
  feed.drain();
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::refused);
  EXPECT_TRUE(feed.journaled().empty());
}

TEST(SequencerTopics, DoesNotTakeABadTopicForTheGoodOneBefore) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  for (const std::string_view topic : {"a.b", "a.b.", "a", "a.b", "a.bc", ".a.b", "a..b"}) {
    ASSERT_TRUE(producer.publish(Event{.topic = topic, .payload = "p"}));
    feed.drain();
    EXPECT_EQ(producer.status(producer.last_position) == CompletionStatus::committed, topic_is_valid(topic)) << topic;
  }
}

TEST(SequencerStamping, ClearsThePaddingThatAProducerLeftDirty) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  const auto position = producer.stage({Event{.topic = "t", .payload = "xy"}});  // 51 bytes, 5 of padding
  std::memset(producer.records(*position) + 51, 0xee, 5);
  producer.publish_ticket(*position);
  feed.drain();
  ASSERT_EQ(feed.journaled().size(), 1u);
  const std::byte* const record = feed.ring().place(0);
  for (int i = 51; i < 56; ++i) EXPECT_EQ(record[i], std::byte{0}) << i;
}

TEST(SequencerStamping, OverwritesWhatAProducerClaimsToBe) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  const auto position = producer.stage({kGood});
  std::byte* const record = producer.records(*position);
  poke(record, 0, ~0ULL);    // checksum
  poke(record, 16, 999ULL);  // sequence
  poke(record, 24, ~0ULL);   // time
  poke(record, 40, 4711U);   // producer id
  producer.publish_ticket(*position);
  feed.drain();
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].sequence, 1u);
  EXPECT_GT(events[0].timestamp_ns, 0);
  EXPECT_EQ(events[0].producer_id, producer.registration.producer_id);
}

}  // namespace
}  // namespace leat::broker
