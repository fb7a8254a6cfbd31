#include "tests/storage/broker_steps.h"

#include <fcntl.h>

#include <filesystem>
#include <stdexcept>

namespace leat::test {

using internal::UniqueFd;

// Names are watched as leatd does it; the lock's own descriptor is no matter here.
BrokerSteps::BrokerSteps(const broker::Options& options) {
  const std::filesystem::path journal = std::filesystem::path(options.data_dir) / options.feed;
  const std::filesystem::path rings = std::filesystem::path(options.runtime_dir) / options.feed / "shm";
  std::filesystem::create_directories(journal);
  std::filesystem::create_directories(rings);
  journal_fd_ = UniqueFd(::open(journal.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  lock_fd_ = UniqueFd(::open((journal / internal::kLockFileName).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  broker::Options every_step_is_due = options;
  every_step_is_due.sync_interval_ms = 0;
  feed_ =
      std::make_unique<broker::Feed>(every_step_is_due,
                                     broker::FeedPlaces{.journal = {.fd = journal_fd_.get(), .path = journal.string()},
                                                        .rings = rings,
                                                        .journal_lock_fd = lock_fd_.get()});
}
BrokerSteps::~BrokerSteps() = default;

Result<void> BrokerSteps::open() {
  if (auto opened = feed_->open(); !opened) return opened;
  feed_->begin_syncer();
  const broker::Registration given = must(feed_->registry().add({}, "storage", feed_->options().arena_bytes));
  producer_.emplace(given, feed_->registry().arena_of_last_add().fd.get(), feed_->files().inbound.fd.get(),
                    feed_->options());
  return {};
}

bool BrokerSteps::publish(const std::vector<Event>& events) {
  if (feed_->stages().handover.state.load() == internal::FeedState::stalled) return false;
  if (!producer_->publish(events)) return false;
  while (feed_->sequencer().step()) {
  }
  if (producer_->status(producer_->last_position) == internal::CompletionStatus::refused ||
      feed_->registry().slot(producer_->registration.slot).revoked.load() != 0) {
    throw std::logic_error("the test publishes what is refused");
  }
  return true;
}

void BrokerSteps::tidy() {
  feed_->sequencer().take_commands();
  feed_->sequencer().write_pending_mark();
}

void BrokerSteps::sync() {
  (void)feed_->syncer().step();
  while (feed_->sequencer().step()) {  // a stalled entry's turn comes again
  }
}

Result<void> BrokerSteps::save_cursor(const std::string& name, std::uint64_t sequence) {
  auto saved = feed_->cursors().save(name, 0, {.epoch = epoch(), .sequence = sequence});
  return saved ? feed_->cursors().flush() : saved;
}

Result<void> BrokerSteps::close() {
  feed_->syncer().finish();
  return feed_->close();
}

std::uint64_t BrokerSteps::visible_sequence() const { return feed_->sequencer().sequence(); }
std::uint64_t BrokerSteps::durable_sequence() const {
  return feed_->files().broadcast_header().durable_sequence.load();
}
std::uint64_t BrokerSteps::durable_position() const { return feed_->files().broadcast_header().durable.load(); }
std::uint64_t BrokerSteps::earliest_sequence() const {
  return feed_->files().broadcast_header().earliest_sequence.load();
}
std::uint64_t BrokerSteps::epoch() const { return feed_->files().broadcast_header().epoch.load(); }
std::uint64_t BrokerSteps::recycled() const { return feed_->files().status_header().syncer.recycled_segments.load(); }
std::uint64_t BrokerSteps::segments() const { return feed_->files().status_header().syncer.segments.load(); }
bool BrokerSteps::stalled() const { return feed_->stages().handover.state.load() == internal::FeedState::stalled; }

}  // namespace leat::test
