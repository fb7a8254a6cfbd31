// Every byte that two processes, or two releases, share. If one of these tests fails, a layout has changed: raise
// kSharedLayoutVersion or kJournalFormatVersion with it, and then these tables (CONTRIBUTING.md says how).
#include <gtest/gtest.h>

#include <cstring>
#include <sstream>

#include "broker/rings/registry_layout.h"
#include "shm/broadcast/broadcast_layout.h"
#include "shm/control/control_layout.h"
#include "shm/ingest/arena_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "journal/format/feed_identity.h"
#include "journal/format/format_version.h"
#include "journal/format/segment_layout.h"
#include "record/record.h"
#include "shm/layout_version.h"
#include "shm/status/status_layout.h"
#include "tests/unit/fixtures/temp_directory.h"

#include <fcntl.h>

namespace leat::internal {
namespace {

using broker::RegistryHeader;
using broker::RegistrySlot;

// One line a field: offset and size, as the compiler lays it out.
#define LEAT_FIELD(type, member) \
  << #type "." #member " " << offsetof(type, member) << " " << sizeof(type::member) << "\n"
#define LEAT_TYPE(type) << #type " size " << sizeof(type) << "\n"

std::string shared_memory_table() {
  std::ostringstream table;
  table LEAT_TYPE(SharedFileHeader) LEAT_FIELD(SharedFileHeader, magic) LEAT_FIELD(SharedFileHeader, layout_version)
      LEAT_FIELD(SharedFileHeader, state) LEAT_FIELD(SharedFileHeader, feed_uuid) LEAT_FIELD(SharedFileHeader, instance)
          LEAT_FIELD(SharedFileHeader, file_bytes) LEAT_FIELD(SharedFileHeader, capacity);
  table LEAT_FIELD(InboundHeader, tail) LEAT_FIELD(InboundHeader, head) LEAT_FIELD(InboundHeader, sleeping)
      LEAT_FIELD(InboundHeader, feed_state) LEAT_FIELD(InboundHeader, broker_life)
          LEAT_FIELD(InboundHeader, max_producers);
  table LEAT_FIELD(ArenaHeader, consumed) LEAT_FIELD(ArenaHeader, durable_sequence) LEAT_FIELD(ArenaHeader, state)
      LEAT_FIELD(ArenaHeader, receipt_word) LEAT_FIELD(ArenaHeader, waiting) LEAT_FIELD(ArenaHeader, tail)
          LEAT_FIELD(ArenaHeader, would_block_arena) LEAT_FIELD(ArenaHeader, would_block_ring)
              LEAT_FIELD(ArenaHeader, retried_tickets) LEAT_FIELD(ArenaHeader, lost);
  table LEAT_TYPE(EntryHeader) LEAT_FIELD(EntryHeader, completion) LEAT_FIELD(EntryHeader, record_bytes)
      LEAT_FIELD(EntryHeader, count) LEAT_FIELD(EntryHeader, producer_sequence) LEAT_FIELD(EntryHeader, position);
  table LEAT_FIELD(BroadcastHeader, intent) LEAT_FIELD(BroadcastHeader, committed) LEAT_FIELD(BroadcastHeader, latest)
      LEAT_FIELD(BroadcastHeader, durable) LEAT_FIELD(BroadcastHeader, durable_sequence)
          LEAT_FIELD(BroadcastHeader, earliest_position) LEAT_FIELD(BroadcastHeader, earliest_sequence)
              LEAT_FIELD(BroadcastHeader, start_position) LEAT_FIELD(BroadcastHeader, epoch)
                  LEAT_FIELD(BroadcastHeader, broker_life) LEAT_FIELD(BroadcastHeader, feed_state)
                      LEAT_FIELD(BroadcastHeader, max_record_bytes);
  table LEAT_FIELD(DoorbellHeader, live_sleepers) LEAT_FIELD(DoorbellHeader, durable_sleepers)
      LEAT_FIELD(DoorbellHeader, armed_events);
  table LEAT_TYPE(ConsumerSlot) LEAT_FIELD(ConsumerSlot, position) LEAT_FIELD(ConsumerSlot, sequence)
      LEAT_FIELD(ConsumerSlot, lapped) LEAT_FIELD(ConsumerSlot, resets) LEAT_FIELD(ConsumerSlot, armed);
  table LEAT_FIELD(StatusHeader, sequencer) LEAT_FIELD(StatusHeader, syncer) LEAT_FIELD(StatusHeader, control);
  table LEAT_TYPE(ProducerRow) LEAT_FIELD(ProducerRow, state) LEAT_FIELD(ProducerRow, producer_id)
      LEAT_FIELD(ProducerRow, pid) LEAT_FIELD(ProducerRow, uid) LEAT_FIELD(ProducerRow, events)
          LEAT_FIELD(ProducerRow, refused) LEAT_FIELD(ProducerRow, would_block_arena)
              LEAT_FIELD(ProducerRow, would_block_ring) LEAT_FIELD(ProducerRow, retried_tickets)
                  LEAT_FIELD(ProducerRow, arena_bytes) LEAT_FIELD(ProducerRow, arena_used_bytes)
                      LEAT_FIELD(ProducerRow, name);
  table LEAT_TYPE(ConsumerRow) LEAT_FIELD(ConsumerRow, state) LEAT_FIELD(ConsumerRow, pid) LEAT_FIELD(ConsumerRow, uid)
      LEAT_FIELD(ConsumerRow, name);
  table LEAT_FIELD(RegistryHeader, inbound_head) LEAT_FIELD(RegistryHeader, round_position)
      LEAT_FIELD(RegistryHeader, broker_life) LEAT_FIELD(RegistryHeader, next_producer_id)
          LEAT_FIELD(RegistryHeader, inbound_slots);
  table LEAT_TYPE(RegistrySlot) LEAT_FIELD(RegistrySlot, state) LEAT_FIELD(RegistrySlot, generation)
      LEAT_FIELD(RegistrySlot, producer_id) LEAT_FIELD(RegistrySlot, pid) LEAT_FIELD(RegistrySlot, pid_start_time)
          LEAT_FIELD(RegistrySlot, token) LEAT_FIELD(RegistrySlot, arena_bytes) LEAT_FIELD(RegistrySlot, consumed)
              LEAT_FIELD(RegistrySlot, last_producer_sequence) LEAT_FIELD(RegistrySlot, uid)
                  LEAT_FIELD(RegistrySlot, revoked) LEAT_FIELD(RegistrySlot, name);
  return table.str();
}

std::string journal_table() {
  std::ostringstream table;
  table LEAT_TYPE(RecordHeader) LEAT_FIELD(RecordHeader, checksum) LEAT_FIELD(RecordHeader, length)
      LEAT_FIELD(RecordHeader, type) LEAT_FIELD(RecordHeader, flags) LEAT_FIELD(RecordHeader, sequence)
          LEAT_FIELD(RecordHeader, timestamp_ns) LEAT_FIELD(RecordHeader, producer_sequence)
              LEAT_FIELD(RecordHeader, producer_id) LEAT_FIELD(RecordHeader, topic_length)
                  LEAT_FIELD(RecordHeader, key_length) LEAT_FIELD(RecordHeader, message_id_length)
                      LEAT_FIELD(RecordHeader, headers_units);
  table LEAT_TYPE(MarkBody) LEAT_FIELD(MarkBody, durable_position) LEAT_FIELD(MarkBody, durable_sequence)
      LEAT_FIELD(MarkBody, next_producer_id);
  table LEAT_TYPE(GapBody) LEAT_FIELD(GapBody, first_missing) LEAT_FIELD(GapBody, last_missing);
  table LEAT_TYPE(SegmentHeader) LEAT_FIELD(SegmentHeader, magic) LEAT_FIELD(SegmentHeader, layout_version)
      LEAT_FIELD(SegmentHeader, index_entries) LEAT_FIELD(SegmentHeader, feed_uuid)
          LEAT_FIELD(SegmentHeader, first_sequence) LEAT_FIELD(SegmentHeader, first_position)
              LEAT_FIELD(SegmentHeader, data_offset) LEAT_FIELD(SegmentHeader, data_bytes)
                  LEAT_FIELD(SegmentHeader, epoch) LEAT_FIELD(SegmentHeader, created_ns)
                      LEAT_FIELD(SegmentHeader, checksum);
  table LEAT_TYPE(IndexEntry) LEAT_FIELD(IndexEntry, position) LEAT_FIELD(IndexEntry, sequence)
      LEAT_FIELD(IndexEntry, timestamp_ns) LEAT_FIELD(IndexEntry, checksum);
  table LEAT_TYPE(IdentityHeader) LEAT_FIELD(IdentityHeader, magic) LEAT_FIELD(IdentityHeader, layout_version)
      LEAT_FIELD(IdentityHeader, epoch_count) LEAT_FIELD(IdentityHeader, feed_uuid)
          LEAT_FIELD(IdentityHeader, directory_inode) LEAT_FIELD(IdentityHeader, closed_position)
              LEAT_FIELD(IdentityHeader, closed_sequence);
  table LEAT_TYPE(EpochEntry) LEAT_FIELD(EpochEntry, id) LEAT_FIELD(EpochEntry, first_sequence)
      LEAT_FIELD(EpochEntry, first_position);
  return table.str();
}

std::string control_table() {
  std::ostringstream table;
  table LEAT_TYPE(MessageHeader) LEAT_FIELD(MessageHeader, magic) LEAT_FIELD(MessageHeader, layout_version)
      LEAT_FIELD(MessageHeader, type) LEAT_FIELD(MessageHeader, bytes);
  table LEAT_TYPE(HelloMessage) LEAT_FIELD(HelloMessage, role) LEAT_FIELD(HelloMessage, resume_slot)
      LEAT_FIELD(HelloMessage, resume_token) LEAT_FIELD(HelloMessage, arena_bytes) LEAT_FIELD(HelloMessage, name);
  table LEAT_TYPE(WelcomeMessage) LEAT_FIELD(WelcomeMessage, status) LEAT_FIELD(WelcomeMessage, slot)
      LEAT_FIELD(WelcomeMessage, generation) LEAT_FIELD(WelcomeMessage, producer_id) LEAT_FIELD(WelcomeMessage, token)
          LEAT_FIELD(WelcomeMessage, instance) LEAT_FIELD(WelcomeMessage, arena_bytes)
              LEAT_FIELD(WelcomeMessage, max_record_bytes) LEAT_FIELD(WelcomeMessage, broker_life)
                  LEAT_FIELD(WelcomeMessage, resumed) LEAT_FIELD(WelcomeMessage, broker_pid)
                      LEAT_FIELD(WelcomeMessage, feed_uuid) LEAT_FIELD(WelcomeMessage, max_batch_bytes)
                          LEAT_FIELD(WelcomeMessage, inbound_slots) LEAT_FIELD(WelcomeMessage, max_producers)
                              LEAT_FIELD(WelcomeMessage, consumer_slots) LEAT_FIELD(WelcomeMessage, advice_at)
                                  LEAT_FIELD(WelcomeMessage, text);
  return table.str();
}

const char* const kSharedMemoryVersion3 = R"(
SharedFileHeader size 64
SharedFileHeader.magic 0 8
SharedFileHeader.layout_version 8 4
SharedFileHeader.state 12 4
SharedFileHeader.feed_uuid 16 16
SharedFileHeader.instance 32 8
SharedFileHeader.file_bytes 40 8
SharedFileHeader.capacity 48 8
InboundHeader.tail 64 8
InboundHeader.head 128 8
InboundHeader.sleeping 192 4
InboundHeader.feed_state 196 4
InboundHeader.broker_life 200 8
InboundHeader.max_producers 256 8
ArenaHeader.consumed 64 8
ArenaHeader.durable_sequence 72 8
ArenaHeader.state 80 4
ArenaHeader.receipt_word 84 4
ArenaHeader.waiting 128 4
ArenaHeader.tail 192 8
ArenaHeader.would_block_arena 200 8
ArenaHeader.would_block_ring 208 8
ArenaHeader.retried_tickets 216 8
ArenaHeader.lost 256 64
EntryHeader size 32
EntryHeader.completion 0 8
EntryHeader.record_bytes 8 4
EntryHeader.count 12 4
EntryHeader.producer_sequence 16 8
EntryHeader.position 24 8
BroadcastHeader.intent 64 8
BroadcastHeader.committed 128 8
BroadcastHeader.latest 136 32
BroadcastHeader.durable 192 8
BroadcastHeader.durable_sequence 200 8
BroadcastHeader.earliest_position 256 8
BroadcastHeader.earliest_sequence 264 8
BroadcastHeader.start_position 320 8
BroadcastHeader.epoch 328 8
BroadcastHeader.broker_life 336 8
BroadcastHeader.feed_state 344 4
BroadcastHeader.max_record_bytes 348 4
DoorbellHeader.live_sleepers 64 4
DoorbellHeader.durable_sleepers 68 4
DoorbellHeader.armed_events 72 4
ConsumerSlot size 64
ConsumerSlot.position 0 8
ConsumerSlot.sequence 8 8
ConsumerSlot.lapped 16 8
ConsumerSlot.resets 24 8
ConsumerSlot.armed 32 4
StatusHeader.sequencer 64 88
StatusHeader.syncer 192 72
StatusHeader.control 320 56
ProducerRow size 128
ProducerRow.state 0 4
ProducerRow.producer_id 4 4
ProducerRow.pid 8 4
ProducerRow.uid 12 4
ProducerRow.events 16 8
ProducerRow.refused 24 8
ProducerRow.would_block_arena 32 8
ProducerRow.would_block_ring 40 8
ProducerRow.retried_tickets 48 8
ProducerRow.arena_bytes 56 8
ProducerRow.arena_used_bytes 64 8
ProducerRow.name 72 32
ConsumerRow size 64
ConsumerRow.state 0 4
ConsumerRow.pid 4 4
ConsumerRow.uid 8 4
ConsumerRow.name 16 32
RegistryHeader.inbound_head 64 8
RegistryHeader.round_position 72 8
RegistryHeader.broker_life 128 8
RegistryHeader.next_producer_id 136 4
RegistryHeader.inbound_slots 140 4
RegistrySlot size 128
RegistrySlot.state 0 4
RegistrySlot.generation 4 4
RegistrySlot.producer_id 8 4
RegistrySlot.pid 12 4
RegistrySlot.pid_start_time 16 8
RegistrySlot.token 24 8
RegistrySlot.arena_bytes 32 8
RegistrySlot.consumed 40 8
RegistrySlot.last_producer_sequence 48 8
RegistrySlot.uid 56 4
RegistrySlot.revoked 60 4
RegistrySlot.name 64 32
)";

const char* const kJournalVersion2 = R"(
RecordHeader size 48
RecordHeader.checksum 0 8
RecordHeader.length 8 4
RecordHeader.type 12 2
RecordHeader.flags 14 2
RecordHeader.sequence 16 8
RecordHeader.timestamp_ns 24 8
RecordHeader.producer_sequence 32 8
RecordHeader.producer_id 40 4
RecordHeader.topic_length 44 1
RecordHeader.key_length 45 1
RecordHeader.message_id_length 46 1
RecordHeader.headers_units 47 1
MarkBody size 24
MarkBody.durable_position 0 8
MarkBody.durable_sequence 8 8
MarkBody.next_producer_id 16 4
GapBody size 16
GapBody.first_missing 0 8
GapBody.last_missing 8 8
SegmentHeader size 88
SegmentHeader.magic 0 8
SegmentHeader.layout_version 8 4
SegmentHeader.index_entries 12 4
SegmentHeader.feed_uuid 16 16
SegmentHeader.first_sequence 32 8
SegmentHeader.first_position 40 8
SegmentHeader.data_offset 48 8
SegmentHeader.data_bytes 56 8
SegmentHeader.epoch 64 8
SegmentHeader.created_ns 72 8
SegmentHeader.checksum 80 8
IndexEntry size 32
IndexEntry.position 0 8
IndexEntry.sequence 8 8
IndexEntry.timestamp_ns 16 8
IndexEntry.checksum 24 8
IdentityHeader size 64
IdentityHeader.magic 0 8
IdentityHeader.layout_version 8 4
IdentityHeader.epoch_count 12 4
IdentityHeader.feed_uuid 16 16
IdentityHeader.directory_inode 32 8
IdentityHeader.closed_position 40 8
IdentityHeader.closed_sequence 48 8
EpochEntry size 24
EpochEntry.id 0 8
EpochEntry.first_sequence 8 8
EpochEntry.first_position 16 8
)";

const char* const kControlVersion3 = R"(
MessageHeader size 16
MessageHeader.magic 0 4
MessageHeader.layout_version 4 4
MessageHeader.type 8 2
MessageHeader.bytes 12 4
HelloMessage size 72
HelloMessage.role 16 4
HelloMessage.resume_slot 20 4
HelloMessage.resume_token 24 8
HelloMessage.arena_bytes 32 8
HelloMessage.name 40 32
WelcomeMessage size 616
WelcomeMessage.status 16 4
WelcomeMessage.slot 20 4
WelcomeMessage.generation 24 4
WelcomeMessage.producer_id 28 4
WelcomeMessage.token 32 8
WelcomeMessage.instance 40 8
WelcomeMessage.arena_bytes 48 8
WelcomeMessage.max_record_bytes 56 8
WelcomeMessage.broker_life 64 8
WelcomeMessage.resumed 72 4
WelcomeMessage.broker_pid 76 4
WelcomeMessage.feed_uuid 80 16
WelcomeMessage.max_batch_bytes 96 8
WelcomeMessage.inbound_slots 104 4
WelcomeMessage.max_producers 108 4
WelcomeMessage.consumer_slots 112 4
WelcomeMessage.advice_at 116 4
WelcomeMessage.text 120 496
)";

TEST(Layout, OfSharedMemoryIsThatOfVersion3) {
  ASSERT_EQ(kSharedLayoutVersion, 3U) << "a new version: check these tables in anew";
  EXPECT_EQ("\n" + shared_memory_table(), kSharedMemoryVersion3);
}

TEST(Layout, OfControlIsThatOfVersion3) {
  ASSERT_EQ(kSharedLayoutVersion, 3U) << "a new version: check these tables in anew";
  EXPECT_EQ("\n" + control_table(), kControlVersion3);
}

TEST(Layout, OfTheJournalIsThatOfVersion2) {
  ASSERT_EQ(kJournalFormatVersion, 2U)
      << "a new version: check this table in anew, and keep the one before it readable";
  EXPECT_EQ("\n" + journal_table(), kJournalVersion2);
}

TEST(Layout, OfPlacesInFilesIsThatOfItsVersion) {
  EXPECT_EQ(kInboundSlotsOffset, 4096u);
  EXPECT_EQ(kArenaDataOffset, 4096u);
  EXPECT_EQ(kBroadcastDataOffset, 4096u);
  EXPECT_EQ(kConsumerSlotsOffset, 4096u);
  EXPECT_EQ(kStatusRowsOffset, 4096u);
  EXPECT_EQ(broker::kRegistrySlotsOffset, 4096u);
  EXPECT_EQ(inbound_file_bytes(64), 8192u);
  EXPECT_EQ(segment_geometry(64 << 20).index_entries, 1025u);
  EXPECT_EQ(segment_geometry(64 << 20).data_offset, 40960u);
  EXPECT_EQ(segment_geometry(16384).data_offset, 8192u);
  EXPECT_EQ(entry_bytes(48), 128u);
  EXPECT_EQ(max_entry_record_bytes(4096), 1984u);
}

TEST(Layout, OfMagicNumbersSpellsNames) {
  const auto text = [](std::uint64_t magic) { return std::string(reinterpret_cast<const char*>(&magic), 8); };
  EXPECT_EQ(text(kInboundMagic), "LEATINB1");
  EXPECT_EQ(text(kArenaMagic), "LEATARA1");
  EXPECT_EQ(text(kBroadcastMagic), "LEATABC1");
  EXPECT_EQ(text(kDoorbellMagic), "LEATADB1");
  EXPECT_EQ(text(kStatusMagic), "LEATSTA1");
  EXPECT_EQ(text(kSegmentMagic), "LEATSEG1");
  EXPECT_EQ(text(kIdentityMagic), "LEATFID1");
  EXPECT_EQ(text(broker::kRegistryMagic), "LEATREG1");
}

TEST(Layout, OfTicketsAndCompletionsIsThatOfItsVersion) {
  EXPECT_EQ(full_slot(1, 0, 0), 0x3u);
  EXPECT_EQ(full_slot(0xfff, 0, 0), 0x1fffu);
  EXPECT_EQ(full_slot(0, 1, 0), 0x2001u);
  EXPECT_EQ(full_slot(0, 0xffff, 0), 0x1fffe001u);
  EXPECT_EQ(full_slot(0, 0, 64), 0x20000001u);
  EXPECT_EQ(full_slot(0xfff, 0xffff, ~0ULL), ~0ULL);
  EXPECT_EQ(empty_slot(5), 10u);
  EXPECT_EQ(pack_completion(CompletionStatus::committed, 0x1234), 0x123401u);
  EXPECT_EQ(pack_completion(CompletionStatus::refused, static_cast<std::uint64_t>(Refusal::bad_sequence)), 0x502u);
}

std::string hex(const void* bytes, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<const unsigned char*>(bytes)[i]);
    text += two;
    if (i % 16 == 15) text += '\n';
  }
  return text;
}

constexpr FeedUuid kUuid = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x46, 0x77,
                            0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

TEST(GoldenBytes, OfAnEventRecord) {
  alignas(8) std::byte record[80];
  encode_event(record, {.topic = "session.created", .key = "s1", .message_id = "m", .payload = "hello"}, 5, 9, 0);
  RecordHeader header;
  std::memcpy(&header, record, sizeof header);
  header.sequence = 0x0102030405060708;
  header.timestamp_ns = 1'700'000'000'123'456'789;
  header.producer_id = 0xa1b2c3d4;
  std::memcpy(record, &header, sizeof header);
  header.checksum = record_checksum(record, header.length, feed_checksum_seed(kUuid), 4096);
  std::memcpy(record, &header, sizeof header);
  EXPECT_EQ("\n" + hex(record, padded_record_bytes(header.length)), R"(
c8e7518c378543b14700000001000000
080706050403020115cd853dfe9c9717
0900000000000000d4c3b2a10f020100
73657373696f6e2e6372656174656473
316d68656c6c6f00)");
}

TEST(GoldenBytes, OfASegmentHeader) {
  const SegmentHeader header = make_segment_header(kUuid, 16384, 1000, 65536, 0xfeedfacecafebeef, 1'700'000'000);
  EXPECT_EQ("\n" + hex(&header, sizeof header), R"(
4c454154534547310200000001000000
00112233445546778899aabbccddeeff
e8030000000000000000010000000000
00200000000000000020000000000000
efbefecacefaedfe00f1536500000000
55003933c183d28f)");
}

TEST(GoldenBytes, OfAnIdentityFile) {
  const test::TempDirectory directory;
  const UniqueFd fd(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY));
  FeedIdentity identity;
  identity.uuid = kUuid;
  identity.directory_inode = 4711;
  identity.epochs = {{0x1111, 1, 0}, {0x2222, 500, 77000}};
  test::must(store_identity({fd.get(), directory.path().string()}, identity));
  const std::string bytes = test::read_file(directory.path() / kIdentityFileName);
  EXPECT_EQ("\n" + hex(bytes.data(), bytes.size()), R"(
4c454154464944310200000002000000
00112233445546778899aabbccddeeff
6712000000000000ffffffffffffffff
00000000000000000000000000000000
11110000000000000100000000000000
00000000000000002222000000000000
f401000000000000c82c010000000000
a19d7c106c66ad0b)");
}
}  // namespace
}  // namespace leat::internal
