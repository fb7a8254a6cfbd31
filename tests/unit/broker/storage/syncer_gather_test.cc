// What is committed while a sync is put off so that it serves more producers (GroupCommit).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <time.h>

#include <cerrno>
#include <functional>
#include <utility>

#include "broker/storage/syncer.h"
#include "tests/unit/fixtures/journal_maker.h"
#include "tests/unit/fixtures/shared_buffer.h"

namespace {

// What happens in the first nap of a sync that is put off.
thread_local std::function<void()> t_in_the_nap;

}  // namespace

// The syncer's nap: the one place where it can be met between its look at the ring and its sync.
extern "C" int nanosleep(const timespec* wanted, timespec* left) {
  if (const auto happens = std::exchange(t_in_the_nap, nullptr)) happens();
  const int failed = ::clock_nanosleep(CLOCK_REALTIME, 0, wanted, left);
  if (failed != 0) errno = failed;
  return failed == 0 ? 0 : -1;
}

namespace leat::broker {
namespace {

using namespace internal;

// The first look found a mark only, which is news to nobody; the sync covers an event all the same.
TEST(SyncerGather, TellsOfAnEventThatComesWhileTheSyncOfAMarkIsPutOff) {
  constexpr std::uint64_t kRingBytes = 4096;
  Options options;
  options.segment_bytes = test::kTinySegment;
  options.sync = SyncPolicy::always;
  test::JournalMaker journal;
  journal.events(10);
  test::SharedBuffer memory(kBroadcastDataOffset + kRingBytes);
  test::SharedBuffer page(8192);
  test::SharedBuffer bell(8192);
  auto& header = *reinterpret_cast<BroadcastHeader*>(memory.data());
  for (Watermark& slot : header.latest) slot.position.store(BroadcastWriter::kNoPosition);
  BroadcastWriter ring(memory.data(), kRingBytes);
  ring.commit(0, 0);
  JournalHandover handover;
  CursorTable cursors(journal.directory(), {});
  std::uint64_t told = 0;
  Syncer syncer(options, journal.directory(), handover, journal.pool(), cursors, header, kRingBytes,
                *reinterpret_cast<DoorbellHeader*>(bell.data()), reinterpret_cast<StatusHeader*>(page.data())->syncer,
                {.durable_advanced = [&](std::uint64_t sequence) { told = sequence; },
                 .wake_sequencer = [] {},
                 .failed = [](const Error&) {}});
  const UniqueFd current(::open(journal.place_of(journal.position()).file.c_str(), O_RDWR | O_CLOEXEC));
  syncer.begin(journal.segments(), current.get());
  ring.commit(800, 10);
  (void)syncer.step();
  ASSERT_EQ(told, 10u);  // ten at once: the next sync waits for as many

  ring.commit(880, 10);  // a mark
  bool came = false;
  t_in_the_nap = [&] {
    ring.commit(960, 11);
    came = true;
  };
  while (header.durable.load() < 880) (void)syncer.step();  // marks alone wait a while
  EXPECT_TRUE(came);
  EXPECT_EQ(header.durable_sequence.load(), 11u);
  EXPECT_EQ(told, 11u) << "its producer waits for ever";
}

}  // namespace
}  // namespace leat::broker
