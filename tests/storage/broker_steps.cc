#include "tests/storage/broker_steps.h"

#include <stdexcept>

namespace leat::broker {

/// The broker's parts, for tests that do its threads' work.
struct BrokerInternals {
  explicit BrokerInternals(Broker& broker) : parts(broker) {}
  Broker& parts;

  Options& options() { return parts.options_; }
  RuntimeFiles& files() { return *parts.files_; }
  Sequencer& sequencer() { return *parts.sequencer_; }
  Syncer& syncer() { return *parts.syncer_; }
  ProducerRegistry& registry() { return *parts.registry_; }
  CursorTable& cursors() { return *parts.cursors_; }
  JournalHandover& handover() { return *parts.handover_; }
  void begin() {
    syncer().begin(parts.recovered_.segments, parts.journal_->current().fd.get(), parts.recovered_.last_timestamp_ns);
  }
  Result<void> close_journal() { return parts.close_journal(); }
};

}  // namespace leat::broker

namespace leat::test {

using broker::BrokerInternals;

BrokerSteps::BrokerSteps(const broker::Options& options) : broker_(std::make_unique<broker::Broker>(options)) {}
BrokerSteps::~BrokerSteps() = default;

Result<void> BrokerSteps::open() {
  if (auto opened = broker_->open(); !opened) return opened;
  BrokerInternals internals(*broker_);
  internals.options().sync_interval_ms = 0;  // every step is due
  internals.begin();
  const broker::Registration given = must(internals.registry().add({}, "storage", internals.options().arena_bytes));
  producer_.emplace(given, internals.registry().arena_of_last_add().fd.get(), internals.files().inbound.fd.get(),
                    internals.options());
  return {};
}

bool BrokerSteps::publish(const std::vector<Event>& events) {
  BrokerInternals internals(*broker_);
  if (internals.handover().state.load() == internal::FeedState::stalled) return false;
  if (!producer_->publish(events)) return false;
  while (internals.sequencer().step()) {
  }
  if (producer_->status(producer_->last_position) == internal::CompletionStatus::refused ||
      internals.registry().slot(producer_->registration.slot).revoked.load() != 0) {
    throw std::logic_error("the test publishes what is refused");
  }
  return true;
}

void BrokerSteps::tidy() {
  BrokerInternals internals(*broker_);
  internals.sequencer().take_commands();
  internals.sequencer().write_pending_mark();
}

void BrokerSteps::sync() {
  BrokerInternals internals(*broker_);
  (void)internals.syncer().step();
  while (internals.sequencer().step()) {  // a stalled entry's turn comes again
  }
}

Result<void> BrokerSteps::save_cursor(const std::string& name, std::uint64_t sequence) {
  BrokerInternals internals(*broker_);
  auto saved = internals.cursors().save(name, 0, {.epoch = epoch(), .sequence = sequence});
  return saved ? internals.cursors().flush() : saved;
}

Result<void> BrokerSteps::close() {
  BrokerInternals internals(*broker_);
  internals.syncer().finish();
  return internals.close_journal();
}

std::uint64_t BrokerSteps::visible_sequence() const { return BrokerInternals(*broker_).sequencer().sequence(); }
std::uint64_t BrokerSteps::durable_sequence() const {
  return BrokerInternals(*broker_).files().broadcast_header().durable_sequence.load();
}
std::uint64_t BrokerSteps::durable_position() const {
  return BrokerInternals(*broker_).files().broadcast_header().durable.load();
}
std::uint64_t BrokerSteps::earliest_sequence() const {
  return BrokerInternals(*broker_).files().broadcast_header().earliest_sequence.load();
}
std::uint64_t BrokerSteps::epoch() const { return BrokerInternals(*broker_).files().broadcast_header().epoch.load(); }
std::uint64_t BrokerSteps::recycled() const {
  return BrokerInternals(*broker_).files().status_header().syncer.recycled_segments.load();
}
std::uint64_t BrokerSteps::segments() const {
  return BrokerInternals(*broker_).files().status_header().syncer.segments.load();
}
bool BrokerSteps::stalled() const {
  return BrokerInternals(*broker_).handover().state.load() == internal::FeedState::stalled;
}

}  // namespace leat::test
