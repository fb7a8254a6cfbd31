// Settings that change from one start to the next, while producers hold events that were accepted, cursors hold what is
// retained, and consumers stay: what was accepted, retained or held under the old ones is served under the new ones.
#include <array>
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

#include "journal/format/segment_layout.h"
#include "support/broker_test.h"
#include "support/payload.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kKiB = 1024;

class ChangedSettings : public BrokerTest {};

// The producer does not hear of the smaller bound before the broker that has it takes what was accepted.
TEST_F(ChangedSettings, EventsThatWereAcceptedUnderALargerBoundAreServedUnderASmallerOne) {
  broker_->set("--max-event-bytes", "256K");
  broker_->set("--ring-bytes", "4M");
  broker_->set("--segment-bytes", "4M");
  start();
  Producer producer = connect_producer(4 << 20);
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  broker_->kill9();
  const std::string payload(200'000, 'x');
  std::vector<Receipt> receipts;
  for (int i = 0; i < 3; ++i) {
    auto sent = producer.publish({.topic = "t", .payload = payload});
    ASSERT_TRUE(sent.ok()) << sent.error().message;
    receipts.push_back(*sent);
  }
  broker_->set("--max-event-bytes", "4K");
  broker_->set("--ring-bytes", "64K");
  broker_->set("--segment-bytes", "64K");
  start();
  for (const Receipt& receipt : receipts) {
    const auto sequence = producer.wait(receipt, Ack::committed, kPatience);
    EXPECT_TRUE(sequence.ok()) << sequence.error().message;
  }
  EXPECT_EQ(status().refused_entries, 0U);
  Consumer consumer = connect_consumer();
  (void)take_event(consumer);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(take_event(consumer).payload, payload);
}

// Whatever it is that is lowered: the events in the journal are good, and every reader gets them, from ring or journal.
TEST_F(ChangedSettings, LargeEventsOfAnEarlierLifeAreNotCalledCorrupt) {
  const std::string payload(100'000, 'x');
  broker_->set("--max-event-bytes", "256K");
  broker_->set("--ring-bytes", "4M");
  broker_->set("--segment-bytes", "4M");
  start();
  {
    Producer producer = connect_producer(1 << 20);
    for (const std::string& text : {std::string("small"), payload, std::string("last")}) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = text}, Ack::durable, kPatience).ok());
    }
  }
  Consumer stays = connect_consumer(Start::latest());
  const std::vector<std::pair<std::string, std::string>> changes =
      {{"--max-event-bytes", "4K"}, {"--segment-bytes", "64K"}, {"--ring-bytes", "64K"}, {"--ring-bytes", "8M"},
       {"--max-event-bytes", "1K"}, {"--ring-bytes", "128K"},   {"--max-consumers", "4"}};
  std::uint64_t sequence = 3;
  for (const auto& [option, value] : changes) {
    SCOPED_TRACE(option + " " + value);
    ASSERT_EQ(broker_->terminate(), 0);
    broker_->set(option, value);
    start();
    {
      Producer producer = connect_producer();
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = "new"}, Ack::committed, kPatience).ok());
      ++sequence;
    }
    Consumer consumer = connect_consumer();
    EXPECT_EQ(take_event(consumer).payload, "small");
    EXPECT_EQ(take_event(consumer).payload, payload);
    while (take_event(consumer).sequence < sequence) {
    }
    while (take_event(stays).sequence < sequence) {
    }
  }
  JournalReader offline = read_journal(broker_->journal(), {}).value();
  EventView event;
  for (std::uint64_t i = 1; i <= sequence; ++i) {
    ASSERT_EQ(offline.next(event), Poll::event) << offline.last_error().message;
    EXPECT_EQ(event.sequence, i);
  }
}

TEST_F(ChangedSettings, AnArenaThatIsLargerThanANewOneMayBeIsTakenOverAndResumed) {
  broker_->set("--max-arena-bytes", "4M");
  start();
  Producer producer = connect_producer(4 << 20);
  broker_->kill9();
  ASSERT_TRUE(producer.publish({.topic = "t"}).ok());
  broker_->set("--max-arena-bytes", "64K");
  broker_->set("--max-event-bytes", "16K");
  start();
  const auto sequence = producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience);
  ASSERT_TRUE(sequence.ok()) << sequence.error().message;
  EXPECT_EQ(*sequence, 2U);
  EXPECT_EQ(producer.arena_bytes(), 4U << 20);
}

// Its rings are gone with the runtime directory, so it would have to be granted an arena of this size anew.
TEST_F(ChangedSettings, AProducerWhoseArenaIsGrantedNoMoreIsToldWhichOptionsToChangeAndComesBackWhenOneIs) {
  broker_->set("--max-arena-bytes", "4M");
  start();
  Producer producer = connect_producer(4 << 20);
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  broker_->kill9();
  fs::remove_all(broker_->runtime());
  broker_->set("--max-arena-bytes", "64K");
  broker_->set("--max-event-bytes", "16K");
  start();
  const auto begun = std::chrono::steady_clock::now();
  const std::initializer_list<const char*> told = {"4194304", "65536", "ProducerOptions::arena_bytes",
                                                   "--max-arena-bytes"};
  Receipt receipt;
  expect_error(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience, &receipt),
               ErrorCode::invalid_argument, told);
  expect_error(producer.publish({.topic = "t"}), ErrorCode::invalid_argument, told);
  expect_error(producer.flush(Ack::committed, kPatience), ErrorCode::invalid_argument, told);
  if (receipt.events != 0)
    expect_error(producer.wait(receipt, Ack::durable, kPatience), ErrorCode::invalid_argument, told);
  std::span<std::byte> room;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(producer.try_publish({.topic = "t"}), Publish::would_block) << "accepted where nobody takes it";
    ASSERT_EQ(producer.claim({.topic = "t"}, 1, room), Publish::would_block);
  }
  const auto tenths = (std::chrono::steady_clock::now() - begun) / milliseconds(100);
  EXPECT_LE(status().refused_connections, static_cast<std::uint64_t>(tenths) + 2) << "asked in a loop";
  ASSERT_EQ(broker_->terminate(), 0);
  broker_->set("--max-arena-bytes", "4M");
  start();
  Result<std::uint64_t> sent = 0;
  while (!(sent = producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience)).ok()) {
    const ErrorCode code = sent.error().code;
    ASSERT_TRUE(code == ErrorCode::closed || code == ErrorCode::invalid_argument) << sent.error().message;
  }
  EXPECT_EQ(producer.lost_count(), receipt.events) << "each of them was told";
  EXPECT_EQ(*sent, 2U);
}

/// Three producers, a named cursor, consumers that stay; one life of the broker after the other.
class RandomSettings : public BrokerTest {
 protected:
  [[nodiscard]] seconds time_limit() const override { return seconds(is_long() ? 7200 : 300); }
  static bool is_long() {
    const char* const form = std::getenv("LEAT_TORTURE");
    return form != nullptr && std::string(form) == "long";
  }

  struct Sent {
    Receipt receipt;
    std::vector<std::string> payloads;
  };
  struct Source {
    std::optional<Producer> producer;
    std::vector<Sent> open;  ///< accepted, and nothing has been heard of them yet
    std::uint64_t number = 0;
  };

  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + random_.below(values.size()));
  }
  void set(const std::string& option, std::uint64_t value) {
    broker_->set(option, value);
    told_ << ' ' << option << ' ' << value;
  }
  void draw_settings() {
    told_.str("");
    const auto segment = one_of<std::uint64_t>({16 * kKiB, 64 * kKiB, 256 * kKiB, 1024 * kKiB, 4096 * kKiB});
    const auto ring = one_of<std::uint64_t>({4 * kKiB, 16 * kKiB, 64 * kKiB, 256 * kKiB, 1024 * kKiB});
    const std::uint64_t most = std::min(ring / 4, internal::max_segment_batch_bytes(segment)) / 8 * 8;
    const auto arena = one_of<std::uint64_t>({16 * kKiB, 64 * kKiB, 256 * kKiB});
    const auto slots = one_of<std::uint64_t>({64, 256, 4096});
    const auto retain = one_of<std::uint64_t>({0, 0, 256 * kKiB, 4096 * kKiB});
    const auto hold = one_of<std::uint64_t>({0, 64 * kKiB, 1ULL << 40});
    set("--segment-bytes", segment);
    set("--ring-bytes", ring);
    const std::uint64_t event = random_.below(3) == 0 ? most : 128 + random_.below(most - 127);
    set("--max-event-bytes", event);
    set("--arena-bytes", arena);
    set("--max-arena-bytes",
        std::max({arena, std::bit_ceil(4 * event), one_of<std::uint64_t>({16 * kKiB, 256 * kKiB, 1024 * kKiB})}));
    set("--inbound-slots", slots);
    set("--max-producers", one_of<std::uint64_t>({8, 16, slots / 2}));
    set("--max-consumers", one_of<std::uint64_t>({4, 8, 32}));
    set("--retain-bytes", retain);
    set("--cursor-hold-bytes", hold);
    broker_->set("--sync", one_of<const char*>({"none", "interval", "always"}));
    pruned_ |= retain != 0;
    cursor_overtaken_ |= retain != 0 && hold < 1ULL << 40;
  }

  std::string payload(std::size_t source, std::uint64_t most) {
    const std::uint64_t number = ++sources_[source].number;
    std::string text = std::to_string(source) + ':' + std::to_string(number) + ':';
    const std::uint64_t bytes = random_.below(4) == 0 ? most : random_.below(most + 1);
    if (text.size() < bytes) text.resize(bytes, static_cast<char>('a' + number % 26));
    return text;
  }
  // An event or a batch, as large as its producer may think that it can be. False: there is no room.
  bool publish(std::size_t index) {
    Producer& producer = *sources_[index].producer;
    constexpr std::uint64_t kFields = 64;  // record header, topic, padding
    const std::uint64_t most = producer.max_event_bytes();
    const std::uint64_t events = random_.below(4) == 0 ? 2 + random_.below(6) : 1;
    Sent sent;
    std::vector<Event> batch;
    for (std::uint64_t i = 0; i < events; ++i)
      sent.payloads.push_back(payload(index, most > kFields ? most - kFields : 0));
    for (const std::string& text : sent.payloads) batch.push_back({.topic = "t", .payload = text});
    const Publish outcome =
        events == 1 ? producer.try_publish(batch[0], &sent.receipt) : producer.try_publish_batch(batch, &sent.receipt);
    if (outcome == Publish::ok) sources_[index].open.push_back(std::move(sent));
    return outcome == Publish::ok || outcome == Publish::too_large;
  }
  void settle(Source& source) {
    for (const Sent& sent : source.open) {
      const auto sequence = source.producer->wait(sent.receipt, Ack::committed, kPatience);
      ASSERT_TRUE(sequence.ok()) << "accepted and lost: " << sequence.error().message;
      for (std::size_t i = 0; i < sent.payloads.size(); ++i) {
        ASSERT_TRUE(feed_.emplace(*sequence + i, sent.payloads[i]).second) << "sequence " << *sequence + i << " twice";
      }
    }
    source.open.clear();
  }
  void settle_all() {
    for (Source& source : sources_) ASSERT_NO_FATAL_FAILURE(settle(source));
    ASSERT_TRUE(feed_.empty() || feed_.rbegin()->first == feed_.size()) << "a hole in the sequence";
  }
  // Reads up to `end`, and expects what was accepted.
  void read_to(Consumer& consumer, std::uint64_t end, bool may_expire) {
    std::uint64_t expected = 0;
    while (consumer.cursor().sequence < end) {
      EventView event;
      const Poll found = consumer.wait(event, kPatience);
      if (found == Poll::reset) {
        ASSERT_TRUE(may_expire && consumer.last_reset().reason == Reset::Reason::expired)
            << consumer.last_reset().to_string();
        expected = 0;
        continue;
      }
      ASSERT_EQ(found, Poll::event) << consumer.last_error().message;
      ASSERT_TRUE(expected == 0 || event.sequence == expected) << event.sequence << ' ' << expected;
      expected = event.sequence + 1;
      ASSERT_EQ(event.payload, feed_.at(event.sequence)) << "event " << event.sequence;
    }
  }
  Consumer connect_cursor() {
    auto consumer =
        Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = "held"});
    if (!consumer) throw std::runtime_error(consumer.error().message);
    return std::move(*consumer);
  }
  [[nodiscard]] std::uint64_t journal_bytes() const {
    std::uint64_t bytes = 0;
    for (const fs::path& segment : broker_->segments()) bytes += fs::file_size(segment);
    return bytes;
  }

  void one_life();
  void end_life();

  Prng random_{0};
  std::ostringstream told_;
  std::array<Source, 3> sources_;
  std::map<std::uint64_t, std::string> feed_;  ///< what each number is
  std::optional<Consumer> held_;               ///< of the named cursor
  std::optional<Consumer> stays_;
  bool pruned_ = false;            ///< retention may have taken something
  bool cursor_overtaken_ = false;  ///< also what the cursor holds
};

void RandomSettings::one_life() {
  draw_settings();
  SCOPED_TRACE("life with" + told_.str());
  start();
  ASSERT_NO_FATAL_FAILURE(settle_all());
  for (Source& source : sources_) {
    if (source.producer && random_.below(4) == 0) source.producer.reset();
    if (!source.producer) source.producer.emplace(connect_producer());
  }
  const std::uint64_t rounds = 1 + random_.below(4);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      // At once: with a broker at work the arena's room, and the receipts in it, may be used again.
      for (std::uint64_t n = random_.below(20); n > 0 && publish(i); --n) ASSERT_NO_FATAL_FAILURE(settle(sources_[i]));
    }
  }
  ASSERT_NO_FATAL_FAILURE(settle_all());
  const std::uint64_t end = feed_.size();
  if (!held_) held_.emplace(connect_cursor());
  if (!stays_) stays_.emplace(connect_consumer());
  ASSERT_NO_FATAL_FAILURE(read_to(*held_, random_.below(end + 1), cursor_overtaken_));
  for (Result<void> saved = held_->save_cursor(); !saved; saved = held_->save_cursor()) {
    ASSERT_EQ(saved.error().code, ErrorCode::no_broker)
        << saved.error().message;  // it meets the new one while it waits
    EventView event;
    (void)held_->wait(event, milliseconds(20));
  }
  ASSERT_NO_FATAL_FAILURE(read_to(*stays_, end, pruned_));
  Consumer fresh = connect_consumer();
  ASSERT_NO_FATAL_FAILURE(read_to(fresh, end, pruned_));
  const FeedStatus now = status();
  EXPECT_EQ(now.latest_sequence, end);
  EXPECT_EQ(now.refused_entries, 0U);
  EXPECT_EQ(now.bad_tickets, 0U);
  EXPECT_EQ(now.state, "running");
  if (!pruned_) {
    EXPECT_EQ(now.earliest_sequence, 1U);
  }
}

void RandomSettings::end_life() {
  if (random_.below(3) == 0) held_.reset();
  if (random_.below(3) == 0) stays_.reset();
  const bool clean = random_.below(2) == 0;
  if (clean) {
    ASSERT_EQ(broker_->terminate(), 0) << broker_->log();
  } else {
    broker_->stop();
  }
  // Accepted by nobody but the arenas: from a few events to all that they can hold.
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    for (std::uint64_t n = random_.below(60); n > 0 && publish(i); --n) {
    }
  }
  if (!clean) broker_->kill9();
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    for (std::uint64_t n = random_.below(4); n > 0 && publish(i); --n) {
    }
  }
}

TEST_F(RandomSettings, LoseRefuseAndReorderNothingThatWasAcceptedOrHeld) {
  random_ = Prng(test_seed());
  const int lives = static_cast<int>(is_long() ? 1500 : scaled(15));
  for (int life = 0; life < lives; ++life) {
    SCOPED_TRACE("life " + std::to_string(life + 1));
    ASSERT_NO_FATAL_FAILURE(one_life());
    ASSERT_NO_FATAL_FAILURE(end_life());
  }
  start();
  ASSERT_NO_FATAL_FAILURE(settle_all());
}

}  // namespace
}  // namespace leat::test
