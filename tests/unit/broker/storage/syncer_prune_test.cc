// Pruning: by real sizes, said before it is done, and never in the way of those who wait for a sync.
#include <sys/stat.h>

#include <filesystem>

#include "tests/unit/broker/storage/syncer_fixture.h"
#include "tests/unit/fixtures/log_capture.h"

namespace leat::broker {
namespace {

using namespace internal;

class SyncerPrune : public SyncerTest {
 protected:
  // As many steps as there is something to prune at once, and some more.
  void settle(Syncer& syncer) {
    for (int i = 0; i < 200; ++i) (void)syncer.step();
  }
  void change_time(std::size_t segment, std::int64_t seconds) {
    const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 0}, {.tv_sec = seconds, .tv_nsec = 0}};
    ASSERT_EQ(::utimensat(journal.fd(), journal.segments()[segment].to_string().c_str(), times, 0), 0);
  }
};

TEST_F(SyncerPrune, AnotherSegmentSizeOfToday) {
  for (const std::uint64_t today : {64ULL << 20, 4ULL << 30}) {
    options.segment_bytes = today;
    options.retain_bytes = 100 * test::kTinySegment;
    make_segments(6);
    test::must(cursors.save("slow", 1, {.epoch = 1, .sequence = 0}));
    auto syncer = make();
    syncer->begin(journal.segments(), open_current());
    settle(*syncer);
    EXPECT_EQ(segments_on_disk(), journal.segments().size());
    EXPECT_EQ(counters().journal_bytes.load(), journal.segments().size() * test::kTinySegment);
  }
}

TEST_F(SyncerPrune, ASmallerSizeOfTodayKeepsTheBoundAllTheSame) {
  test::JournalMaker large(256 * 1024);
  options.segment_bytes = test::kTinySegment;
  options.retain_bytes = 600 * 1024;
  for (int i = 0; i < 5; ++i) {
    large.events(10);
    large.roll();
  }
  const UniqueFd last(::open((large.path() / large.segments().back().to_string()).c_str(), O_RDWR | O_CLOEXEC));
  Syncer syncer(options, large.directory(), handover, large.pool(), cursors, header(), kSyncerRingBytes, doorbell(),
                counters(),
                {.durable_advanced = [](std::uint64_t) {}, .wake_sequencer = [] {}, .failed = [](const Error&) {}});
  syncer.begin(large.segments(), last.get());
  settle(syncer);
  EXPECT_EQ(counters().segments.load(), 2u);
  EXPECT_EQ(counters().journal_bytes.load(), 512u * 1024);
}

TEST_F(SyncerPrune, TheLogSaysBeforehandWhatAStartTakesAndWhichOptionAsksForIt) {
  make_segments(6);
  options.retain_bytes = 2 * test::kTinySegment;
  options.cursor_hold_bytes = 3 * test::kTinySegment;
  test::must(cursors.save("slow", 1, {.epoch = 1, .sequence = 5}));
  const test::LogCapture log;
  auto syncer = make();
  syncer->begin(journal.segments(), open_current());
  EXPECT_EQ(segments_on_disk(), 6u);
  EXPECT_TRUE(
      log.says("--retain-bytes 32768: 3 of the journal's 6 segments are beyond it and go now (49152 of 98304 bytes, "
               "events 1 to 30); cursor 'slow' has not read all of them, and is held no more than "
               "--cursor-hold-bytes 49152"))
      << log.text();
  settle(*syncer);
  EXPECT_EQ(segments_on_disk(), 3u);
}

TEST_F(SyncerPrune, AStartThatPrunesNothingSaysNothing) {
  make_segments(6);
  options.retain_bytes = 6 * test::kTinySegment;
  options.retain_seconds = 1000;
  const test::LogCapture log;
  auto syncer = make();
  syncer->begin(journal.segments(), open_current(), realtime_ns());
  settle(*syncer);
  EXPECT_EQ(log.text(), "");
}

// Ages of an earlier life are measured between what was stamped then and the clock of now; see age_at_start_ns.
TEST_F(SyncerPrune, ASegmentOfAnEarlierLifeIsAsOldAsTheNewestEventMakesIt) {
  make_segments(4);
  options.retain_seconds = 1000;
  const std::int64_t newest_s = realtime_ns() / kNanosPerSecond - 10L * 365 * 86400;  // the feed rested for ten years
  change_time(0, newest_s - 2000);
  change_time(1, newest_s - 1001);
  change_time(2, newest_s - 900);
  change_time(3, newest_s);
  const test::LogCapture log;
  auto syncer = make();
  syncer->begin(journal.segments(), open_current(), newest_s * kNanosPerSecond);
  settle(*syncer);
  EXPECT_EQ(segments_on_disk(), 2u);
  EXPECT_TRUE(log.says("that time is not counted, so nothing is pruned for it")) << log.text();
  EXPECT_TRUE(log.says("--retain-seconds 1000: 2 of the journal's 4 segments")) << log.text();
}

TEST_F(SyncerPrune, FilesOfTheFutureAndOfBefore1970AndAClockThatIsBehindPruneNothing) {
  make_segments(5);
  options.retain_seconds = 1;
  change_time(0, 4102444800);   // 2100
  change_time(1, 9000000000);   // 2255
  change_time(2, 15000000000);  // beyond what 64 bits of nanoseconds hold
  const test::LogCapture log;
  auto syncer = make();
  syncer->begin(journal.segments(), open_current(), realtime_ns() + 3600 * kNanosPerSecond);
  settle(*syncer);
  EXPECT_EQ(segments_on_disk(), 5u);
  EXPECT_TRUE(log.says("s before the journal's newest event: one of them is wrong")) << log.text();
}

// Counted in syncs, not in time: between two segments that go, whoever waits for his event to be durable is served.
TEST_F(SyncerPrune, ManySegmentsGoOneByOneBetweenSyncs) {
  constexpr int kSegments = 150;
  for (const SyncPolicy policy : {SyncPolicy::always, SyncPolicy::interval}) {
    SCOPED_TRACE(policy == SyncPolicy::always ? "always" : "interval");
    test::JournalMaker many;
    for (int i = 1; i < kSegments; ++i) {
      many.event();
      many.roll();
    }
    many.event();
    options.sync = policy;
    options.sync_interval_ms = 0;
    options.retain_bytes = test::kTinySegment;
    const UniqueFd last(::open((many.path() / many.segments().back().to_string()).c_str(), O_RDWR | O_CLOEXEC));
    Syncer syncer(options, many.directory(), handover, many.pool(), cursors, header(), kSyncerRingBytes, doorbell(),
                  counters(),
                  {.durable_advanced = [this](std::uint64_t s) { durable_sequence = s; },
                   .wake_sequencer = [] {},
                   .failed = [this](const Error&) { ++failures; }});
    syncer.begin(many.segments(), last.get());
    std::uint64_t segments = counters().segments.load();
    ASSERT_EQ(segments, static_cast<std::uint64_t>(kSegments));
    std::uint64_t sequence = header().durable_sequence.load();
    int steps = 0;
    for (; segments > 1; ++steps) {
      ASSERT_LT(steps, 1'000'000);
      ++sequence;
      ring.commit(8 * sequence, sequence);  // somebody waits, always
      (void)syncer.step();
      EXPECT_EQ(header().durable_sequence.load(), sequence) << "each step serves who waits";
      ASSERT_GE(counters().segments.load() + 1, segments) << "and prunes one segment at most";
      segments = counters().segments.load();
      MarkRequest mark{};
      while (handover.marks.pop(mark)) {
      }
    }
    EXPECT_GT(steps, 3 * kSegments / 2) << "most of the time is left to those who wait";
    EXPECT_EQ(failures.load(), 0);
    MappedSegment* prepared = nullptr;
    while (handover.prepared.pop(prepared)) delete prepared;
  }
}

TEST_F(SyncerPrune, WhatADroppedCursorHeldGoesBitByBit) {
  make_segments(50);
  options.retain_bytes = test::kTinySegment;
  test::must(cursors.save("gone", 1, {.epoch = 1, .sequence = 0}));
  auto syncer = make();
  syncer->begin(journal.segments(), open_current());
  settle(*syncer);
  EXPECT_EQ(segments_on_disk(), 50u);
  test::must(cursors.drop("gone", 1));
  std::uint64_t segments = 50;
  for (int i = 0; i < 200; ++i) {
    (void)syncer->step();
    ASSERT_GE(counters().segments.load() + 1, segments);
    segments = counters().segments.load();
  }
  EXPECT_EQ(segments, 1u);
}

}  // namespace
}  // namespace leat::broker
