// The syncer: watermarks, marks, segments ahead of need, retention and recycling, and the end after a failed sync.
#include "broker/journal/syncer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include <spdlog/spdlog.h>

#include "shm/record/record.h"
#include "tests/unit/fixtures/journal_maker.h"
#include "tests/unit/fixtures/shared_buffer.h"

namespace leat::broker {
namespace {

using namespace shm;
using test::JournalMaker;

constexpr std::uint64_t kRingBytes = 4096;

template <typename Condition>
void wait_until(Condition condition) {  // what never comes, the watchdog ends
  while (!condition()) std::this_thread::sleep_for(std::chrono::microseconds(200));
}

// A journal of `segments` segments, and a syncer over it that has not been started.
class SyncerTest : public ::testing::Test {
 protected:
  SyncerTest() {
    spdlog::set_level(spdlog::level::off);
    options.segment_bytes = test::kTinySegment;
    options.sync_interval_ms = 1;
    options.retain_bytes = 0;
    for (Watermark& slot : header().latest) slot.position.store(BroadcastWriter::kNoPosition);
    ring.commit(0, 0);
  }
  BroadcastHeader& header() { return *reinterpret_cast<BroadcastHeader*>(memory.data()); }
  SyncerCounters& counters() { return reinterpret_cast<StatusHeader*>(page.data())->syncer; }
  DoorbellHeader& doorbell() { return *reinterpret_cast<DoorbellHeader*>(bell.data()); }

  void make_segments(int count) {
    for (int i = 1; i < count; ++i) {
      journal.events(10);
      journal.roll();
    }
    journal.events(10);
  }
  std::unique_ptr<Syncer> make() {
    return std::make_unique<Syncer>(options, journal.fd(), journal.path().string(), handover, journal.pool(), cursors,
                                    header(), kRingBytes, doorbell(), counters(),
                                    SyncerHooks{.durable_advanced = [this](std::uint64_t s) { durable_sequence = s; },
                                                .wake_sequencer = [this] { ++sequencer_wakes; },
                                                .failed = [this](const Error&) { ++failures; }});
  }
  int open_current() {
    current = UniqueFd(::open(journal.place_of(journal.position()).file.c_str(), O_RDWR | O_CLOEXEC));
    return current.get();
  }
  std::size_t segments_on_disk() { return test::must(list_segments(journal.fd(), journal.path().string())).size(); }

  Options options;
  JournalMaker journal;
  test::SharedBuffer memory{kBroadcastDataOffset + kRingBytes};
  test::SharedBuffer page{8192};
  test::SharedBuffer bell{8192};
  BroadcastWriter ring{memory.data(), kRingBytes};
  JournalHandover handover;
  CursorTable cursors{journal.fd(), journal.path().string(), {}};
  UniqueFd current;
  std::atomic<std::uint64_t> durable_sequence{0};
  std::atomic<int> sequencer_wakes{0};
  std::atomic<int> failures{0};
};

TEST_F(SyncerTest, RaisesDurableToWhatWasCommittedAndAsksForAMark) {
  make_segments(1);
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  ring.commit(journal.position(), 10);
  handover.syncer_wake.notify();
  wait_until([&] { return header().durable.load() == journal.position(); });
  wait_until([&] { return durable_sequence.load() == 10; });
  syncer->stop();
  EXPECT_EQ(header().durable_sequence.load(), 10u);
  MarkRequest mark{};
  ASSERT_TRUE(handover.marks.pop(mark));
  EXPECT_EQ(mark.position, journal.position());
  EXPECT_EQ(mark.sequence, 10u);
  EXPECT_FALSE(handover.marks.pop(mark));
  EXPECT_GE(counters().syncs.load(), 1u);
}

TEST_F(SyncerTest, AsksForNoMarkWhenOnlyAMarkIsNew) {
  make_segments(1);
  auto syncer = make();
  ring.commit(journal.position(), 0);
  syncer->start(journal.segments(), open_current());
  wait_until([&] { return header().durable.load() == journal.position(); });
  syncer->stop();
  MarkRequest mark{};
  EXPECT_FALSE(handover.marks.pop(mark)) << "or an idle feed would never rest";
}

TEST_F(SyncerTest, NeverSyncsUnderPolicyNoneButAtTheStop) {
  options.sync = SyncPolicy::none;
  make_segments(1);
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  ring.commit(journal.position(), 10);
  for (int i = 0; i < 20; ++i) {
    handover.syncer_wake.notify();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(header().durable.load(), 0u);
  syncer->stop();
  EXPECT_EQ(header().durable.load(), journal.position());
}

TEST_F(SyncerTest, SyncsAtOnceUnderPolicyAlways) {
  options.sync = SyncPolicy::always;
  make_segments(1);
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  for (std::uint64_t i = 1; i <= 10; ++i) {
    ring.commit(8 * i, i);
    handover.syncer_wake.notify();
    wait_until([&] { return header().durable.load() == 8 * i; });
  }
  syncer->stop();
  EXPECT_GE(counters().syncs.load(), 10u);
}

// A sync for a mark alone would make the next event wait for its end.
TEST_F(SyncerTest, LeavesAMarkAloneForALaterSync) {
  options.sync = SyncPolicy::always;
  make_segments(1);
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  wait_until([&] { return handover.prepared.read_available() > 0; });
  for (std::uint64_t i = 1; i <= 20; ++i) {
    ring.commit(16 * i - 8, i);  // an event
    handover.syncer_wake.notify();
    wait_until([&] { return header().durable.load() >= 16 * i - 8; });
    ring.commit(16 * i, i);  // the mark behind it
    handover.syncer_wake.notify();
  }
  // Each event took a sync; of the marks at most those that a stretch of 200 ms without a sync came before.
  const std::uint64_t syncs = counters().syncs.load();
  EXPECT_GE(syncs, 20U);
  EXPECT_LT(syncs, 30U);
  wait_until([&] { return header().durable.load() == 320; });  // the last mark is not forgotten
  syncer->stop();
}

TEST_F(SyncerTest, KeepsASegmentPreparedAheadOfNeed) {
  make_segments(1);
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  wait_until([&] { return handover.prepared.read_available() > 0; });
  EXPECT_GT(sequencer_wakes.load(), 0);
  syncer->stop();
}

TEST_F(SyncerTest, PrunesByBytesReadersFirstAndRecycles) {
  make_segments(6);
  options.retain_bytes = 3 * test::kTinySegment;
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  wait_until([&] { return counters().segments.load() == 3; });
  syncer->stop();
  EXPECT_EQ(segments_on_disk(), 3u);
  const SegmentName oldest = journal.segments()[3];
  EXPECT_EQ(header().earliest_position.load(), oldest.first_position);
  EXPECT_EQ(header().earliest_sequence.load(), oldest.first_sequence);
  EXPECT_EQ(counters().recycled_segments.load(), SegmentPool::kMaxRecycled);
  EXPECT_EQ(counters().pruned_segments.load(), 3 - SegmentPool::kMaxRecycled);
}

TEST_F(SyncerTest, PrunesByEventsAndNeverTheCurrentSegment) {
  make_segments(6);  // 10 events each
  options.retain_events = 20;
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  wait_until([&] { return counters().segments.load() == 3; });
  syncer->stop();
  EXPECT_EQ(header().earliest_sequence.load(), 31u) << "20 in sealed segments, and the current one";
  options.retain_events = 1;
  auto again = make();
  again->start({journal.segments().begin() + 3, journal.segments().end()}, current.get());
  wait_until([&] { return counters().segments.load() == 2; });
  again->stop();
  EXPECT_TRUE(std::filesystem::exists(journal.path() / journal.segments().back().to_string()));
}

TEST_F(SyncerTest, PrunesByAgeOfTheFilesOfAnEarlierLife) {
  make_segments(4);
  options.retain_seconds = 1000;
  for (int i = 0; i < 2; ++i) {
    const auto file = journal.path() / journal.segments()[static_cast<std::size_t>(i)].to_string();
    std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  }
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  wait_until([&] { return counters().segments.load() == 2; });
  syncer->stop();
  EXPECT_EQ(segments_on_disk(), 2u);
}

TEST_F(SyncerTest, HoldsWhatANamedCursorHasNotReadUntilItMoves) {
  make_segments(6);  // 10 events each
  options.retain_bytes = 3 * test::kTinySegment;
  options.cursor_hold_bytes = 6 * test::kTinySegment;
  test::must(cursors.save("slow", 1, {.epoch = 1, .sequence = 15}));
  test::must(cursors.save("fast", 1, {.epoch = 1, .sequence = 55}));
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  wait_until([&] { return counters().segments.load() == 5; });  // the first holds 1..10: read by all
  EXPECT_EQ(header().earliest_sequence.load(), 11u);
  test::must(cursors.save("slow", 1, {.epoch = 1, .sequence = 20}));
  wait_until([&] { return counters().segments.load() == 4; });
  test::must(cursors.drop("slow", 1));
  wait_until([&] { return counters().segments.load() == 3; });
  syncer->stop();
  EXPECT_EQ(header().earliest_sequence.load(), 31u);
  const auto written = test::must(load_cursors(journal.fd(), journal.path().string(), {}));
  ASSERT_EQ(written.size(), 1u) << "what was saved is on disk after the stop";
  EXPECT_EQ(cursor_name(written[0]), "fast");
}

TEST_F(SyncerTest, HoldsForACursorOnlyUpToTheBound) {
  make_segments(6);
  options.retain_bytes = 2 * test::kTinySegment;
  options.cursor_hold_bytes = 4 * test::kTinySegment;
  test::must(cursors.save("asleep", 1, {.epoch = 1, .sequence = 0}));
  auto syncer = make();
  syncer->start(journal.segments(), open_current());
  wait_until([&] { return counters().segments.load() == 4; });
  syncer->stop();
  EXPECT_EQ(header().earliest_sequence.load(), 21u);
  options.cursor_hold_bytes = 0;
  auto again = make();
  again->start({journal.segments().begin() + 2, journal.segments().end()}, current.get());
  wait_until([&] { return counters().segments.load() == 2; });
  again->stop();
}

TEST_F(SyncerTest, SyncsASealedSegmentBeforeItRaisesDurableOverIt) {
  make_segments(1);
  auto syncer = make();
  options.sync_interval_ms = 1;
  syncer->start(journal.segments(), open_current());
  auto* const sealed = new MappedSegment;
  sealed->fd = UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));  // fdatasync of it fails: EINVAL
  sealed->file_name = "null";
  ASSERT_TRUE(handover.rolled.push(
      {.sealed = sealed, .current_fd = current.get(), .current = {11, journal.position()}}));
  ring.commit(journal.position() + 8, 11);
  handover.syncer_wake.notify();
  wait_until([&] { return failures.load() == 1; });
  EXPECT_EQ(handover.state.load(), FeedState::failed);
  EXPECT_EQ(header().durable.load(), 0u);
  // Final: not a second sync is tried, whatever comes.
  ring.commit(journal.position() + 16, 12);
  for (int i = 0; i < 20; ++i) {
    handover.syncer_wake.notify();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  syncer->stop();
  EXPECT_EQ(failures.load(), 1);
  EXPECT_EQ(header().durable.load(), 0u);
  EXPECT_EQ(counters().syncs.load(), 0u);
}

TEST_F(SyncerTest, FailsForGoodWhenTheCurrentSegmentCannotBeSynced) {
  make_segments(1);
  auto syncer = make();
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  syncer->start(journal.segments(), null.get());
  ring.commit(journal.position(), 10);
  handover.syncer_wake.notify();
  wait_until([&] { return failures.load() == 1; });
  syncer->stop();
  EXPECT_EQ(failures.load(), 1) << "and the stop does not try again either";
  EXPECT_EQ(header().durable.load(), 0u);
}

TEST_F(SyncerTest, WakesThoseWhoSleepForDurable) {
  make_segments(1);
  auto syncer = make();
  doorbell().durable_sleepers.store(1);
  syncer->start(journal.segments(), open_current());
  ring.commit(journal.position(), 10);
  handover.syncer_wake.notify();
  wait_until([&] { return !somebody_sleeps(doorbell().durable_sleepers.load()); });
  syncer->stop();
}

TEST(SegmentPool, RecyclesAFewFilesAndRemovesTheRest) {
  JournalMaker journal;
  for (int i = 0; i < 4; ++i) journal.roll();
  EXPECT_TRUE(test::must(journal.pool().recycle(journal.segments()[0])));
  EXPECT_TRUE(test::must(journal.pool().recycle(journal.segments()[1])));
  EXPECT_FALSE(test::must(journal.pool().recycle(journal.segments()[2])));
  EXPECT_TRUE(journal.pool().has_recycled());
  EXPECT_FALSE(std::filesystem::exists(journal.path() / journal.segments()[2].to_string()));
  EXPECT_FALSE(test::must(journal.pool().recycle(journal.segments()[2]))) << "somebody has removed it already: no error";
}

TEST(SegmentPool, HandsOutARecycledFileWithoutItsOldHeader) {
  JournalMaker journal;
  journal.events(20);
  journal.roll();
  ASSERT_TRUE(test::must(journal.pool().recycle(journal.segments()[0])));
  const auto segment = test::must(journal.pool().prepare());
  const std::byte* const bytes = segment->mapping.data();
  const SegmentGeometry geometry = segment_geometry(test::kTinySegment);
  for (std::uint64_t at = 0; at < geometry.data_offset + 8; ++at) ASSERT_EQ(bytes[at], std::byte{0}) << at;
  EXPECT_FALSE(journal.pool().has_recycled());
}

constexpr std::uint64_t kMiB = 1 << 20;

// The number of slices; the segment comes with the last.
int prepare_in_slices(SegmentPool& pool, std::unique_ptr<MappedSegment>& segment) {
  int slices = 0;
  for (std::uint64_t before = 0; segment == nullptr; before = pool.new_filled_bytes()) {
    segment = test::must(pool.prepare_some());
    ++slices;
    if (segment == nullptr) {
      EXPECT_GT(pool.new_filled_bytes(), before);
    }
  }
  EXPECT_EQ(pool.new_filled_bytes(), 0U);
  return slices;
}

TEST(SegmentPool, PreparesInSlicesSoThatASyncNeverWaitsLong) {
  for (const bool sync_often : {true, false}) {
    JournalMaker journal;
    SegmentPool pool(journal.fd(), journal.path().string(), 16 * kMiB, sync_often);
    std::unique_ptr<MappedSegment> segment;
    EXPECT_EQ(prepare_in_slices(pool, segment), sync_often ? 64 : 2);
    EXPECT_EQ(segment->file_bytes, 16 * kMiB);
    EXPECT_EQ(std::filesystem::file_size(journal.path() / segment->file_name), 16 * kMiB);
    struct stat status {};
    ASSERT_EQ(::fstat(segment->fd.get(), &status), 0);
    EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, 16 * kMiB) << "allocated: no store can fail for space";
    EXPECT_EQ(status.st_mode & 0777, 0600u);
  }
}

TEST(SegmentPool, EndsAtOnceWhatIsUnderWayWhenInAHurry) {
  JournalMaker journal;
  SegmentPool pool(journal.fd(), journal.path().string(), 16 * kMiB, true);
  ASSERT_EQ(test::must(pool.prepare_some()), nullptr);
  ASSERT_GT(pool.new_filled_bytes(), 0U);
  const auto segment = test::must(pool.prepare_some(SegmentPool::Hurry::yes));
  ASSERT_NE(segment, nullptr);
  EXPECT_EQ(std::filesystem::file_size(journal.path() / segment->file_name), 16 * kMiB);
}

TEST(SegmentPool, TakesARecycledFileWhileANewOneIsUnderWayAndGoesOnWithThatLater) {
  JournalMaker journal;
  SegmentPool pool(journal.fd(), journal.path().string(), test::kTinySegment * 64, true);
  journal.roll();
  std::filesystem::resize_file(journal.path() / journal.segments()[0].to_string(), test::kTinySegment * 64);
  auto first = test::must(pool.prepare_some());
  if (first == nullptr) {
    ASSERT_TRUE(test::must(pool.recycle(journal.segments()[0])));
    const std::uint64_t filled = pool.new_filled_bytes();
    EXPECT_NE(test::must(pool.prepare_some()), nullptr);
    EXPECT_EQ(pool.new_filled_bytes(), filled) << "kept for later";
  }
  EXPECT_NE(test::must(pool.prepare()), nullptr);
}

TEST(SegmentPool, BeginsAnewAfterAFailureAndLeavesNothingBehind) {
  JournalMaker journal;
  // More than any file system here can hold.
  SegmentPool pool(journal.fd(), journal.path().string(), 1ULL << 50, true);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto failed = pool.prepare_some();
    ASSERT_FALSE(failed.ok());
    EXPECT_NE(failed.error().message.find("allocating"), std::string::npos) << failed.error().message;
    EXPECT_EQ(pool.new_filled_bytes(), 0U);
    for (const auto& entry : std::filesystem::directory_iterator(journal.path())) {
      EXPECT_FALSE(entry.path().filename().string().starts_with("prepared-")) << entry.path();
    }
  }
}

TEST(SegmentPool, ClearsWhatAnEarlierBrokerHadPrepared) {
  JournalMaker journal;
  const std::string name = test::must(journal.pool().prepare())->file_name;
  ASSERT_TRUE(std::filesystem::exists(journal.path() / name));
  test::must(journal.pool().clear_leftovers());
  EXPECT_FALSE(std::filesystem::exists(journal.path() / name));
  EXPECT_TRUE(std::filesystem::exists(journal.place_of(0).file));
}

}  // namespace
}  // namespace leat::broker
