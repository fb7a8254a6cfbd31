// The messages on a feed's control socket (Unix seqpacket: one message a packet, descriptors ride along).
//
//   client                                   broker
//   Hello {role, version, ...}        -->    reads SO_PEERCRED, applies the feed's rules
//                                     <--    Welcome {status, slot, ...} + descriptors
//   observer only: Refresh            -->
//                                     <--    Refreshed
//   consumer only: OpenFile {name}    -->    for one whose user may not open the journal's files itself
//                                     <--    FileOpened {status} + descriptor (ro)
//   consumer only: TakeCursor {name}, SaveCursor {place}, DropCursor      -->
//                                     <--    CursorAnswer {status, known, place}
//   end of connection                 -->    the client has left
//
// Descriptors in a Welcome, in this order:
//   producer  inbound ring (rw), arena (rw)
//   consumer  broadcast ring (ro), doorbell (rw), journal directory (ro), eventfd
//   observer  broadcast ring (ro), doorbell (ro), status page (ro)
#pragma once

#include <cstddef>
#include <cstdint>

#include "shm/shared_file.h"

namespace leat::internal {

inline constexpr std::uint32_t kControlMagic = 0x5441454c;  // "LEAT"

enum class MessageType : std::uint16_t {
  hello = 1,
  welcome = 2,
  refresh = 3,
  refreshed = 4,
  open_file = 5,
  file_opened = 6,
  take_cursor = 7,  ///< the named cursor is this connection's until it ends
  save_cursor = 8,
  drop_cursor = 9,
  cursor_answer = 10,
  leave = 11,  ///< a producer is done; no answer. A connection that ends without it does not mean that
};
enum class Role : std::uint32_t { producer = 1, consumer = 2, observer = 3 };

inline constexpr std::size_t kMaxPassedFds = 4;
inline constexpr std::size_t kClientNameBytes = 32;
inline constexpr std::size_t kErrorTextBytes = 512;
inline constexpr std::size_t kWelcomeTextBytes = 496;

// Every message starts with these 16 bytes, which no layout version may change: so both ends can always name theirs.
struct MessageHeader {
  std::uint32_t magic;           // 0  kControlMagic
  std::uint32_t layout_version;  // 4  of the sender
  std::uint16_t type;            // 8  MessageType
  std::uint16_t reserved;        // 10 0; a consumer's question: its number, which the answer repeats
  std::uint32_t bytes;           // 12 of the whole message
};
static_assert(sizeof(MessageHeader) == 16);

struct HelloMessage {
  MessageHeader header;         // 0
  std::uint32_t role;           // 16 Role
  std::uint32_t resume_slot;    // 20 with resume_token != 0: registers again after a broker restart
  std::uint64_t resume_token;   // 24
  std::uint64_t arena_bytes;    // 32 wanted; 0: the broker's default
  char name[kClientNameBytes];  // 40 not necessarily terminated
};
static_assert(sizeof(HelloMessage) == 72 && offsetof(HelloMessage, name) == 40);

// Sizes of what is passed are given here and never read from the files: any producer can write over the header of the
// inbound ring, any consumer over the doorbell's, and whoever comes next must get in all the same.
struct WelcomeMessage {
  MessageHeader header;            // 0
  std::uint32_t status;            // 16 ErrorCode; anything but ok: only the last two mean something
  std::uint32_t slot;              // 20 producer or consumer slot
  std::uint32_t generation;        // 24 of the producer slot
  std::uint32_t producer_id;       // 28
  std::uint64_t token;             // 32 proves, to a later broker, who holds this slot
  std::uint64_t instance;          // 40 of the rings: another one means all mappings are stale
  std::uint64_t arena_bytes;       // 48
  std::uint64_t max_record_bytes;  // 56 bound on a padded record
  std::uint64_t broker_life;       // 64
  std::uint32_t resumed;           // 72 1: the slot was taken up again, keep all mappings; no descriptors follow
  std::int32_t broker_pid;         // 76
  FeedUuid feed_uuid;              // 80
  std::uint64_t max_batch_bytes;   // 96 bound on the padded records of one batch
  std::uint32_t inbound_slots;     // 104 producer: of the inbound ring, a power of two
  std::uint32_t max_producers;     // 108 producer: margin that keeps the ring's tail from overrunning its head
  std::uint32_t consumer_slots;    // 112 consumer, observer: of the doorbell
  std::uint32_t advice_at;         // 116 with an error: where in `text` its advice begins; 0: there is none
  char text[kWelcomeTextBytes];    // 120 the error, terminated
};
static_assert(sizeof(WelcomeMessage) == 616 && offsetof(WelcomeMessage, inbound_slots) == 104);
static_assert(offsetof(WelcomeMessage, consumer_slots) == 112 && offsetof(WelcomeMessage, advice_at) == 116 &&
              offsetof(WelcomeMessage, text) == 120);

/// Refresh and Refreshed carry nothing.
struct BareMessage {
  MessageHeader header;
};

inline constexpr std::size_t kFileNameBytes = 64;

/// Asks for a segment, or the identity file, of the journal.
struct OpenFileMessage {
  MessageHeader header;       // 0
  char name[kFileNameBytes];  // 16 terminated
};
static_assert(sizeof(OpenFileMessage) == 80);

struct FileOpenedMessage {
  MessageHeader header;    // 0
  std::uint32_t status;    // 16 errno of the open; 0: one descriptor rides along
  std::uint32_t reserved;  // 20
};
static_assert(sizeof(FileOpenedMessage) == 24);

/// All four about named cursors; an ask uses the fields that it needs.
struct CursorMessage {
  MessageHeader header;        // 0
  std::uint32_t status;        // 16 answer: ErrorCode; anything but ok: only `known` and `text` mean something
  std::uint32_t known;         // 20 answer to take_cursor: 1 if there was such a cursor, and this is its place; with an
                               //    error: where in `text` its advice begins; 0: there is none
  std::uint64_t epoch;         // 24
  std::uint64_t sequence;      // 32
  char name[kFileNameBytes];   // 40 take_cursor: terminated
  char text[kErrorTextBytes];  // 104
};
static_assert(sizeof(CursorMessage) == 616 && offsetof(CursorMessage, text) == 104);

inline constexpr std::size_t kMaxMessageBytes = sizeof(WelcomeMessage);

}  // namespace leat::internal
