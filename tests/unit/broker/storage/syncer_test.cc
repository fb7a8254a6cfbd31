// The syncer: watermarks, marks, a segment ahead of need, retention, and the end after a failed sync.
#include "tests/unit/broker/storage/syncer_fixture.h"
#include "tests/unit/fixtures/log_capture.h"
#include "shm/broadcast/doorbell.h"

namespace leat::broker {
namespace {

using namespace internal;

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
  EXPECT_GE(counters().recycled_segments.load(), SegmentPool::kMaxRecycled);
  EXPECT_EQ(counters().recycled_segments.load() + counters().pruned_segments.load(), 3u);
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
  const auto written = test::must(load_cursors(journal.directory(), {}));
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

class SyncerShares : public SyncerTest {
 protected:
  static constexpr std::uint32_t kGreedy = 4711;
  static constexpr std::uint32_t kModest = 4712;

  SyncerShares() {
    options.retain_bytes = 2 * test::kTinySegment;
    options.cursor_hold_bytes = 8 * test::kTinySegment;
    make_segments(8);  // 10 events each
  }
  std::size_t left_after(Syncer& syncer) {
    for (int i = 0; i < 200; ++i) (void)syncer.step();
    return counters().segments.load();
  }
};

TEST_F(SyncerShares, ACursorThatNeverMovesHoldsItsUsersShareAndTheOthersHoldOn) {
  cursors.set_user_share(50);
  test::must(cursors.save("greedy", kGreedy, {.epoch = 1, .sequence = 0}));
  test::must(cursors.save("greedy-too", kGreedy, {.epoch = 1, .sequence = 2}));
  test::must(cursors.save("ours", ::geteuid(), {.epoch = 1, .sequence = 15}));
  test::must(cursors.save("modest", kModest, {.epoch = 1, .sequence = 45}));
  const test::LogCapture log;
  auto syncer = make();
  syncer->begin(journal.segments(), open_current());
  EXPECT_EQ(left_after(*syncer), 7u) << "the broker's own user may hold all of it";
  EXPECT_EQ(header().earliest_sequence.load(), 11u);
  const std::string bound =
      "no more than 65536 bytes, the share of one user (--user-share 50) of --cursor-hold-bytes "
      "131072";
  const std::string said = "warning: cursor 'greedy' of user 4711 stands at sequence 0 and holds " + bound +
                           ": what it has not read is pruned, and its consumer will be told; start the consumer, raise "
                           "one of these bounds, or drop the cursor";
  EXPECT_EQ(log.count(said), 1) << log.text();
  EXPECT_TRUE(log.says("cursor 'greedy' has not read all of them, and is held " + bound)) << log.text();
  test::must(cursors.drop("ours", ::geteuid()));
  EXPECT_EQ(left_after(*syncer), 4u) << "which is half of eight, for as long as somebody needs the oldest of them";
  EXPECT_EQ(header().earliest_sequence.load(), 41u) << "the modest one lost nothing";
  test::must(cursors.drop("greedy", kGreedy));
  test::must(cursors.drop("greedy-too", kGreedy));
  EXPECT_EQ(left_after(*syncer), 4u) << "and holds on by itself";
  test::must(cursors.save("modest", kModest, {.epoch = 1, .sequence = 80}));
  test::must(cursors.flush());
  EXPECT_EQ(left_after(*syncer), 2u);
  EXPECT_EQ(log.count("holds no more than"), 1) << log.text();
}

TEST_F(SyncerShares, EachUserWhoIsOvertakenIsNamedOnce) {
  cursors.set_user_share(25);
  test::must(cursors.save("first", kGreedy, {.epoch = 1, .sequence = 0}));
  test::must(cursors.save("second", kModest, {.epoch = 1, .sequence = 12}));
  test::must(cursors.save("ours", ::geteuid(), {.epoch = 1, .sequence = 0}));
  const test::LogCapture log;
  auto syncer = make();
  syncer->begin(journal.segments(), open_current());
  EXPECT_EQ(left_after(*syncer), 8u);
  EXPECT_EQ(log.text(), "") << "nobody has lost anything: another user's cursor holds it";
  test::must(cursors.drop("ours", ::geteuid()));
  EXPECT_EQ(left_after(*syncer), 2u);
  EXPECT_EQ(log.count("cursor 'first' of user 4711 stands at sequence 0"), 1) << log.text();
  EXPECT_EQ(log.count("cursor 'second' of user 4712 stands at sequence 12"), 1) << log.text();
}

TEST_F(SyncerShares, AnotherShareCountsAtOnce) {
  cursors.set_user_share(100);
  test::must(cursors.save("greedy", kGreedy, {.epoch = 1, .sequence = 0}));
  auto syncer = make();
  syncer->begin(journal.segments(), open_current());
  EXPECT_EQ(left_after(*syncer), 8u);
  for (const auto& [percent, left] : {std::pair{80U, 6u}, {50U, 4u}, {100U, 4u}, {40U, 3u}, {1U, 2u}}) {
    cursors.set_user_share(percent);
    EXPECT_EQ(left_after(*syncer), left) << percent;
  }
}

// Whose a cursor is stands in the file, so a restart gives nobody more.
TEST_F(SyncerShares, TheShareHoldsOverARestartBeforeAnyConsumerHasComeBack) {
  test::must(cursors.save("greedy", kGreedy, {.epoch = 1, .sequence = 0}));
  test::must(cursors.save("modest", kModest, {.epoch = 1, .sequence = 45}));
  test::must(cursors.flush());
  CursorTable next(journal.directory(), {});
  next.set_user_share(50);
  test::must(next.load());
  Syncer syncer(options, journal.directory(), handover, journal.pool(), next, header(), kSyncerRingBytes, doorbell(),
                counters(),
                {.durable_advanced = [](std::uint64_t) {}, .wake_sequencer = [] {}, .failed = [](const Error&) {}});
  syncer.begin(journal.segments(), open_current());
  EXPECT_EQ(left_after(syncer), 4u);
  EXPECT_EQ(header().earliest_sequence.load(), 41u);
}

// A round can be larger than what is retained. Pruned before it is finished, it would be missing after a kill.
TEST_F(SyncerTest, PrunesNothingOfARoundInProgress) {
  make_segments(6);
  options.retain_bytes = 1;
  std::atomic<std::uint64_t> round_position = journal.segments()[2].first_position + 8;
  handover.round_position = &round_position;
  auto syncer = make();
  ring.commit(journal.position(), journal.sequence());
  syncer->start(journal.segments(), open_current());
  wait_until([&] { return counters().segments.load() == 4; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(header().earliest_position.load(), journal.segments()[2].first_position);
  round_position = journal.position();
  handover.syncer_wake.notify();
  wait_until([&] { return counters().segments.load() == 1; });
  syncer->stop();
}

TEST_F(SyncerTest, NeverPrunesTheCurrentSegmentHoweverSmallTheBound) {
  options.retain_bytes = 1;
  make_segments(3);
  auto syncer = make();
  syncer->begin(journal.segments(), open_current());
  for (int i = 0; i < 5; ++i) (void)syncer->step();
  EXPECT_EQ(segments_on_disk(), 1u);
  EXPECT_EQ(header().earliest_position.load(), journal.segments().back().first_position);
}

// A consumer at level durable has not seen it yet, and is not to be told that it is gone.
TEST_F(SyncerTest, PrunesNoSegmentThatIsNotSyncedYet) {
  options.retain_bytes = 1;
  options.sync_interval_ms = 1'000'000'000;
  make_segments(3);
  auto syncer = make();
  const auto& names = journal.segments();
  syncer->begin({names[0]}, open_current());
  for (std::size_t i = 0; i + 1 < names.size(); ++i) {
    auto* const sealed = new MappedSegment;
    sealed->file_name = names[i].to_string();
    sealed->name = names[i];
    sealed->fd = UniqueFd(::openat(journal.fd(), sealed->file_name.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(handover.rolled.push({.sealed = sealed, .current_fd = current.get(), .current = names[i + 1]}));
  }
  ring.commit(journal.position(), 30);
  for (int i = 0; i < 5; ++i) (void)syncer->step();
  EXPECT_EQ(segments_on_disk(), 3u);
  syncer->finish();
  EXPECT_EQ(header().durable.load(), journal.position());
  (void)syncer->step();
  EXPECT_EQ(segments_on_disk(), 1u);
}

// The sequencer goes on between the syncer's look at what it has sealed and the sync.
TEST_F(SyncerTest, SyncsASegmentThatIsSealedAfterItHasLookedForSuch) {
  options.sync_interval_ms = 0;
  make_segments(1);
  auto syncer = make();
  on_wake = [&] {  // a segment is ready: it is taken into use at once
    on_wake = nullptr;
    auto* const sealed = new MappedSegment;
    sealed->fd = UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    sealed->file_name = "null";
    ASSERT_TRUE(
        handover.rolled.push({.sealed = sealed, .current_fd = current.get(), .current = {11, journal.position()}}));
    ring.commit(journal.position() + 8, 11);
  };
  syncer->begin(journal.segments(), open_current());
  while (handover.prepared.read_available() == 0) (void)syncer->step();
  EXPECT_EQ(failures.load(), 1);
  EXPECT_EQ(header().durable.load(), 0u);
  MappedSegment* prepared = nullptr;
  ASSERT_TRUE(handover.prepared.pop(prepared));
  delete prepared;
}

TEST_F(SyncerTest, SyncsASealedSegmentBeforeItRaisesDurableOverIt) {
  make_segments(1);
  auto syncer = make();
  options.sync_interval_ms = 1;
  syncer->start(journal.segments(), open_current());
  auto* const sealed = new MappedSegment;
  sealed->fd = UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));  // fdatasync of it fails: EINVAL
  sealed->file_name = "null";
  ASSERT_TRUE(
      handover.rolled.push({.sealed = sealed, .current_fd = current.get(), .current = {11, journal.position()}}));
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

}  // namespace
}  // namespace leat::broker
