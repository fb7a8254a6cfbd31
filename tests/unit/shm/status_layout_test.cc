// The counters on the status page, one by one: their order is read by other processes. See layout_test.cc.
#include "shm/layout_version.h"
#include "shm/status/status_layout.h"

#include <gtest/gtest.h>

namespace leat::internal {
namespace {

#define LEAT_AT(type, member, offset) EXPECT_EQ(offsetof(type, member), offset##u) << #type "." #member

TEST(StatusLayout, OfCountersIsThatOfVersion1) {
  ASSERT_EQ(kSharedLayoutVersion, 3u) << "a new version: write these numbers anew";
  LEAT_AT(SequencerCounters, events, 0);
  LEAT_AT(SequencerCounters, bytes, 8);
  LEAT_AT(SequencerCounters, rounds, 16);
  LEAT_AT(SequencerCounters, refused_entries, 24);
  LEAT_AT(SequencerCounters, bad_tickets, 32);
  LEAT_AT(SequencerCounters, skipped_tickets, 40);
  LEAT_AT(SequencerCounters, ring_repairs, 48);
  LEAT_AT(SequencerCounters, stalls, 56);
  LEAT_AT(SequencerCounters, wakeups, 64);
  LEAT_AT(SequencerCounters, duplicates, 72);
  LEAT_AT(SequencerCounters, sleeps, 80);
  LEAT_AT(SyncerCounters, syncs, 0);
  LEAT_AT(SyncerCounters, last_sync_ns, 8);
  LEAT_AT(SyncerCounters, max_sync_ns, 16);
  LEAT_AT(SyncerCounters, segments, 24);
  LEAT_AT(SyncerCounters, recycled_segments, 32);
  LEAT_AT(SyncerCounters, pruned_segments, 40);
  LEAT_AT(SyncerCounters, segment_bytes, 48);
  LEAT_AT(SyncerCounters, journal_bytes, 56);
  LEAT_AT(SyncerCounters, lost_segments, 64);
  LEAT_AT(ControlCounters, refused_connections, 0);
  LEAT_AT(ControlCounters, producers, 8);
  LEAT_AT(ControlCounters, consumers, 16);
  LEAT_AT(ControlCounters, refreshes, 24);
  LEAT_AT(ControlCounters, pid, 32);
  LEAT_AT(ControlCounters, state, 36);
  LEAT_AT(ControlCounters, broker_life, 40);
  LEAT_AT(ControlCounters, inbound_slots, 48);
}

}  // namespace
}  // namespace leat::internal
