#include "process/kill/attacked_feed.h"

#include <chrono>

#include "shm/broadcast/broadcast_ring.h"
#include "shm/ingest/inbound_layout.h"

namespace leat::test {

namespace {
constexpr std::chrono::seconds kPatience{60};  // a bound for what hangs, not a measure of speed
}  // namespace

AttackedFeed::AttackedFeed(const std::string& tag, std::uint64_t seed, std::uint64_t segment_bytes)
    : seed_(seed), seed_text_(std::to_string(seed)), broker_(tag), checker_(seed, kSmallEvents) {
  // In memory like the rings: a kill takes nothing from a page cache, and no attack waits for a disk.
  broker_.set_data_dir(broker_.runtime().parent_path().parent_path() / "data");
  broker_.set("--ring-bytes", kRingBytes);
  broker_.set("--inbound-slots", 64);
  broker_.set("--arena-bytes", 16 * 1024);
  broker_.set("--max-event-bytes", 512);
  broker_.set("--segment-bytes", segment_bytes);
  // Nobody who is merely stepped slowly shall lose its ticket: a step takes some 20 us.
  broker_.set("--skip-wait-us", 20000);
  checker_.expect_sequence(1);
}

void AttackedFeed::start() {
  (void)need(broker_.start().ok() ? Result<int>(0) : Result<int>(Error{ErrorCode::no_broker, broker_.log()}), "leatd");
  neighbour_ = std::make_unique<Producer>(
      need(Producer::connect({.address = broker_.address(), .name = "neighbour"}), "the neighbour"));
  consumer_ = std::make_unique<Consumer>(
      need(Consumer::connect({.address = broker_.address(), .name = "checker", .start = Start::earliest()}),
           "the checker"));
  epoch_ = status().epoch;
}

void AttackedFeed::restart() {
  if (auto started = broker_.start(); !started) throw Broken("leatd does not start again: " + started.error().message);
}

Receipt AttackedFeed::publish_only() {
  const Event event = generated_.make(seed_, 0, next_number_++, kSmallEvents);
  return need(neighbour_->publish(event), "the neighbour could not publish");
}

std::uint64_t AttackedFeed::go_on(std::uint64_t events) {
  Receipt last;
  for (std::uint64_t i = 0; i < events; ++i) last = publish_only();
  const std::uint64_t sequence =
      need(neighbour_->wait(last, Ack::committed, kPatience), "the neighbour's event was not committed");
  check_up_to(sequence);
  return sequence;
}

void AttackedFeed::check_up_to(std::uint64_t sequence) {
  while (checker_.count() < sequence) {
    EventView event;
    switch (consumer_->wait(event, kPatience)) {
      case Poll::event: break;
      case Poll::empty: throw Broken("the checker waited in vain for sequence " + std::to_string(checker_.count() + 1));
      case Poll::reset: throw Broken("the checker got a " + consumer_->last_reset().to_string());
      case Poll::error: throw Broken("the checker: " + consumer_->last_error().message);
    }
    if (!checker_.take(event)) throw Broken(checker_.error());
  }
}

void AttackedFeed::close_books(std::uint32_t producer, std::uint64_t events) {
  if (delivered(producer) != events) {
    throw Broken("of producer " + std::to_string(producer) + " " + std::to_string(delivered(producer)) +
                 " events were delivered, expected " + std::to_string(events));
  }
  books_.emplace_back(producer, events);
}

FeedStatus AttackedFeed::status() {
  auto observer = need(FeedObserver::connect(broker_.address()), "an observer");
  return need(observer.read(), "reading the status");
}

std::uint64_t AttackedFeed::committed() const {
  const auto ring = broker_.map("broadcast", internal::Access::read_only);
  return internal::BroadcastReader(ring.data(), kRingBytes).read_latest().sequence;
}

std::uint64_t AttackedFeed::inbound_tail() const {
  const auto ring = broker_.map("inbound", internal::Access::read_only);
  return reinterpret_cast<const internal::InboundHeader*>(ring.data())->tail.load();
}

std::uint64_t AttackedFeed::inbound_head() const {
  const auto ring = broker_.map("inbound", internal::Access::read_only);
  return reinterpret_cast<const internal::InboundHeader*>(ring.data())->head.load();
}

void AttackedFeed::finish() {
  (void)go_on(1);
  for (const auto& [producer, events] : books_) {
    if (delivered(producer) != events) {
      throw Broken("an event of producer " + std::to_string(producer) + " came long after it was dead");
    }
  }
  const FeedStatus now = status();
  if (now.epoch != epoch_) throw Broken("the epoch has changed although nothing was lost");
  if (now.refused_entries != 0 || now.bad_tickets != 0) {
    throw Broken("leatd counts " + std::to_string(now.refused_entries) + " refused entries and " +
                 std::to_string(now.bad_tickets) + " bad tickets");
  }
  neighbour_.reset();
  consumer_.reset();
  if (const int ended = broker_.terminate(); ended != 0) {
    throw Broken("leatd ended with status " + std::to_string(ended) + ":\n" + broker_.log());
  }
  for (const std::string& line : broker_.unexpected_log_lines()) throw Broken("in the log: " + line);
  // A kill in the middle of an append may leave records behind a zero that says nothing is there: those are cut.
  auto reader = need(read_journal(broker_.journal()), "the journal");
  EventChecker again(seed_, kSmallEvents);
  if (now.earliest_sequence > 1) {
    again.start_anywhere();
  } else {
    again.expect_sequence(1);
  }
  EventView event;
  for (Poll found = reader.next(event); found != Poll::empty; found = reader.next(event)) {
    if (found != Poll::event) throw Broken("reading the journal: " + reader.last_error().message);
    if (!again.take(event)) throw Broken("in the journal: " + again.error());
  }
  if (again.next_sequence() != checker_.next_sequence()) {
    throw Broken("the journal ends before sequence " + std::to_string(again.next_sequence()) +
                 ", delivered were those before " + std::to_string(checker_.next_sequence()));
  }
}

}  // namespace leat::test
