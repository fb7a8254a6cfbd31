// A journal of a few segments, and a syncer over it that has not been started.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "broker/log.h"
#include "broker/storage/syncer.h"
#include "tests/unit/fixtures/journal_maker.h"
#include "tests/unit/fixtures/shared_buffer.h"

namespace leat::broker {

inline constexpr std::uint64_t kSyncerRingBytes = 4096;

template <typename Condition>
void wait_until(Condition condition) {  // what never comes, the watchdog ends
  while (!condition()) std::this_thread::sleep_for(std::chrono::microseconds(200));
}

class SyncerTest : public ::testing::Test {
 protected:
  SyncerTest() {
    broker::Log::set_level("off");
    options.segment_bytes = test::kTinySegment;
    options.sync_interval_ms = 1;
    options.retain_bytes = 0;
    for (internal::Watermark& slot : header().latest) slot.position.store(internal::BroadcastWriter::kNoPosition);
    ring.commit(0, 0);
  }
  internal::BroadcastHeader& header() { return *reinterpret_cast<internal::BroadcastHeader*>(memory.data()); }
  internal::SyncerCounters& counters() { return reinterpret_cast<internal::StatusHeader*>(page.data())->syncer; }
  internal::DoorbellHeader& doorbell() { return *reinterpret_cast<internal::DoorbellHeader*>(bell.data()); }

  void make_segments(int count) {
    for (int i = 1; i < count; ++i) {
      journal.events(10);
      journal.roll();
    }
    journal.events(10);
  }
  std::unique_ptr<Syncer> make() {
    return std::make_unique<Syncer>(options, journal.directory(), handover, journal.pool(), cursors, header(),
                                    kSyncerRingBytes, doorbell(), counters(),
                                    SyncerHooks{.durable_advanced = [this](std::uint64_t s) { durable_sequence = s; },
                                                .wake_sequencer =
                                                    [this] {
                                                      ++sequencer_wakes;
                                                      if (on_wake) on_wake();
                                                    },
                                                .failed = [this](const Error&) { ++failures; }});
  }
  int open_current() {
    current = internal::UniqueFd(::open(journal.place_of(journal.position()).file.c_str(), O_RDWR | O_CLOEXEC));
    return current.get();
  }
  std::size_t segments_on_disk() { return test::must(internal::list_segments(journal.directory())).size(); }

  Options options;
  test::JournalMaker journal;
  test::SharedBuffer memory{internal::kBroadcastDataOffset + kSyncerRingBytes};
  test::SharedBuffer page{8192};
  test::SharedBuffer bell{8192};
  internal::BroadcastWriter ring{memory.data(), kSyncerRingBytes};
  JournalHandover handover;
  CursorTable cursors{journal.directory(), {}};
  internal::UniqueFd current;
  std::atomic<std::uint64_t> durable_sequence{0};
  std::atomic<int> sequencer_wakes{0};
  std::atomic<int> failures{0};
  std::function<void()> on_wake;
};

}  // namespace leat::broker
