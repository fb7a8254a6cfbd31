// The client library against a broken broker: any answer on the socket, any bytes in the rings and pages that it
// passes, changed while they are used, and a journal beside them. A client gets an error or nonsense, never a crash or
// a hang.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include <leat/leat.h>

#include "shm/broadcast/broadcast_layout.h"
#include "shm/control/control_socket.h"
#include "shm/ingest/arena_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "record/record.h"
#include "shm/layout_version.h"
#include "shm/status/status_layout.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/fixtures/journal_maker.h"

namespace leat::fuzz {
namespace {

using namespace internal;
using std::chrono::milliseconds;

constexpr std::uint64_t kRingBytes = 8192;

// A page-backed file of a size, with a header that is right unless the input changes it.
class Page {
 public:
  Page(std::uint64_t magic, std::uint64_t bytes, std::uint64_t capacity, Reader& reader)
      : fd_(::memfd_create("leat-fuzz", MFD_CLOEXEC)), bytes_(bytes) {
    LEAT_FUZZ_CHECK(fd_.valid() && ::ftruncate(fd_.get(), static_cast<off_t>(bytes)) == 0);
    data_ = static_cast<std::byte*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
    LEAT_FUZZ_CHECK(data_ != MAP_FAILED);
    const SharedFileHeader header{.magic = magic,
                                  .layout_version = kSharedLayoutVersion,
                                  .state = FileState::ready,
                                  .feed_uuid = {},
                                  .instance = 1,
                                  .file_bytes = bytes,
                                  .capacity = capacity,
                                  .reserved = 0};
    std::memcpy(data_, &header, sizeof header);
    if (reader.below(4) == 0) scribble(reader, sizeof header);
  }
  ~Page() { ::munmap(data_, bytes_); }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  // A word somewhere in the first `within` bytes.
  void scribble(Reader& reader, std::size_t within) {
    store_word(data_ + reader.below(std::min<std::size_t>(within, bytes_) / kWordBytes) * kWordBytes,
               reader.odd_number());
  }
  void put(std::size_t offset, const void* bytes, std::size_t count) {
    if (offset + count <= bytes_) std::memcpy(data_ + offset, bytes, count);
  }
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::uint64_t bytes_;
  std::byte* data_ = nullptr;
};

// Listens where the broker of the feed would, and answers every packet with the one it was given.
class FakeBroker {
 public:
  FakeBroker() {
    const std::filesystem::path directory = address.runtime_dir + "/fuzz";
    std::filesystem::create_directories(directory);
    std::filesystem::create_directories(address.data_dir);
    std::filesystem::create_directory_symlink(journal_.path(), address.data_dir + "/fuzz");
    journal_.events(20);
    journal_.mark_all();
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = directory / "control.sock";
    std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    LEAT_FUZZ_CHECK(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    LEAT_FUZZ_CHECK(::listen(listener_.get(), 64) == 0);
    std::thread([this] { run(); }).detach();  // as long as the process
  }

  void answer_with(const WelcomeMessage& welcome, std::vector<int> fds, std::string further) {
    const std::lock_guard lock(mutex_);
    welcome_ = welcome;
    fds_ = std::move(fds);
    further_ = std::move(further);
  }
  [[nodiscard]] int journal_fd() const { return journal_.fd(); }
  [[nodiscard]] const test::JournalMaker& journal() const { return journal_; }

 private:
  test::TempDirectory files_;

 public:
  const FeedAddress address{.feed = "fuzz",
                            .runtime_dir = (files_.path() / "run").string(),
                            .data_dir = (files_.path() / "data").string()};

 private:
  // The connection before is closed when the next one comes: the client then sees its broker go away.
  void run() {
    UniqueFd held;
    for (;;) {
      UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) continue;
      Received hello;
      (void)receive_message(client.get(), hello, 1000).ok();
      const std::lock_guard lock(mutex_);
      (void)send_message(client.get(), &welcome_, sizeof welcome_, fds_).ok();
      if (!further_.empty()) (void)send_message(client.get(), further_.data(), further_.size()).ok();
      held = std::move(client);
    }
  }

  test::JournalMaker journal_;
  UniqueFd listener_;
  std::mutex mutex_;
  WelcomeMessage welcome_ = {};
  std::vector<int> fds_;
  std::string further_;
};

FakeBroker& broker() {
  static auto* const fake = new FakeBroker;  // its thread never ends
  return *fake;
}

WelcomeMessage make_welcome(Reader& reader) {
  WelcomeMessage welcome{};
  welcome.header = make_header(MessageType::welcome, sizeof welcome);
  welcome.slot = 1;
  welcome.instance = 1;
  welcome.arena_bytes = 4096;
  welcome.max_record_bytes = 1024;
  welcome.max_batch_bytes = 1024;
  welcome.inbound_slots = 64;
  welcome.max_producers = 8;
  welcome.consumer_slots = 4;
  for (std::uint64_t changes = reader.below(3); changes > 0; --changes) {
    const std::uint64_t value = reader.odd_number();
    std::memcpy(reinterpret_cast<std::byte*>(&welcome) + reader.below(120), &value, 4);
  }
  return welcome;
}

// The watermarks of a ring, near each other or anywhere.
void fill_ring(Page& ring, Reader& reader) {
  const std::string& string = broker().journal().string();
  const std::uint64_t end = reader.below(2) == 0 ? string.size() : reader.odd_number();
  const std::uint64_t sequence = reader.below(2) == 0 ? broker().journal().sequence() : reader.odd_number();
  BroadcastHeader header{};
  std::memcpy(static_cast<void*>(&header), ring.data(), sizeof(SharedFileHeader));
  header.intent = header.committed = header.durable = end;
  header.latest[0].position = end;
  header.latest[0].sequence = sequence;
  header.durable_sequence = sequence;
  header.earliest_sequence = 1;
  header.max_record_bytes = 1024;
  ring.put(0, &header, sizeof header);
  ring.put(kBroadcastDataOffset, string.data(), std::min<std::size_t>(string.size(), kRingBytes));
  for (std::uint64_t changes = reader.below(8); changes > 0; --changes) {
    if (reader.below(2) == 0) ring.scribble(reader, 352);
    const Bytes bytes = reader.bytes(reader.below(64));
    ring.put(kBroadcastDataOffset + reader.below(kRingBytes), bytes.data(), bytes.size());
  }
}

Start start_from(Reader& reader) {
  switch (reader.below(5)) {
    case 0: return Start::latest();
    case 1: return Start::at(reader.odd_number());
    case 2: return Start::after({.epoch = reader.odd_number(), .sequence = reader.odd_number()});
    case 3: return Start::at_time(static_cast<std::int64_t>(reader.odd_number()));
    default: return Start::earliest();
  }
}

}  // namespace

LEAT_FUZZ_TARGET(client_consumer) {
  Reader reader(input);
  Page ring(kBroadcastMagic, broadcast_file_bytes(kRingBytes), kRingBytes, reader);
  Page bell(kDoorbellMagic, doorbell_file_bytes(4), 4, reader);
  fill_ring(ring, reader);
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const WelcomeMessage welcome = make_welcome(reader);
  std::vector<int> fds = {ring.fd(), bell.fd(), broker().journal_fd(), event.get()};
  if (reader.below(8) == 0) fds.resize(reader.below(4));
  const Start start = start_from(reader);
  const bool durable = reader.below(2) == 0;
  broker().answer_with(welcome, fds, {});
  auto consumer = Consumer::connect({.address = broker().address,
                                     .start = start,
                                     .level = durable ? Level::durable : Level::live,
                                     .allow_offline = false});
  if (!consumer) return;
  for (int polls = 0; polls < 64; ++polls) {
    EventView found;
    if (consumer->poll(found) == Poll::event) {
      // All that a view points to can be read.
      std::size_t sum = 0;
      for (const std::string_view part : {found.topic, found.key, found.message_id, found.payload}) {
        for (const char c : part) sum += static_cast<unsigned char>(c);
      }
      LEAT_FUZZ_CHECK(sum < ~std::size_t{0});
    }
    if (polls % 4 == 3 && !reader.done()) ring.scribble(reader, reader.below(2) == 0 ? 352 : 4096 + kRingBytes);
  }
  (void)consumer->stats();
  (void)consumer->latest_sequence();
  (void)consumer->earliest_sequence();
}

LEAT_FUZZ_TARGET(client_producer) {
  Reader reader(input);
  Page ring(kInboundMagic, inbound_file_bytes(64), 64, reader);
  Page arena(kArenaMagic, arena_file_bytes(4096), 4096, reader);
  const WelcomeMessage welcome = make_welcome(reader);
  std::vector<int> fds = {ring.fd(), arena.fd()};
  if (reader.below(8) == 0) fds.resize(reader.below(2));
  broker().answer_with(welcome, fds, {});
  auto producer = Producer::connect({.address = broker().address, .publish_timeout = milliseconds(0)});
  if (!producer) return;
  Receipt receipt;
  bool published = false;
  for (int acts = 0; acts < 40; ++acts) {
    if (!reader.done()) {
      if (reader.below(2) == 0) ring.scribble(reader, 4608);
      else arena.scribble(reader, 8192);
    }
    const std::string_view payload = reader.text();
    switch (reader.below(4)) {
      case 0: {
        std::span<std::byte> room;
        if (producer->claim({.topic = "t"}, payload.size(), room) == Publish::ok) {
          std::memcpy(room.data(), payload.data(), payload.size());
          if (producer->commit(&receipt) != Publish::ok) producer->abandon();
        }
        break;
      }
      case 1: {
        const std::vector<Event> batch(1 + reader.below(3), Event{.topic = "b.c", .payload = payload});
        published |= producer->try_publish_batch(batch, &receipt) == Publish::ok;
        break;
      }
      default: published |= producer->try_publish({.topic = "a", .payload = payload}, &receipt) == Publish::ok;
    }
    if (published) (void)producer->wait(receipt, Ack::durable, milliseconds(0)).ok();
  }
}

LEAT_FUZZ_TARGET(client_observer) {
  Reader reader(input);
  Page ring(kBroadcastMagic, broadcast_file_bytes(kRingBytes), kRingBytes, reader);
  Page bell(kDoorbellMagic, doorbell_file_bytes(4), 4, reader);
  Page status(kStatusMagic, status_file_bytes(8, 4), std::uint64_t{8} << 32 | 4, reader);
  fill_ring(ring, reader);
  for (std::uint64_t changes = reader.below(16); changes > 0; --changes) status.scribble(reader, 8192);
  const WelcomeMessage welcome = make_welcome(reader);
  std::vector<int> fds = {ring.fd(), bell.fd(), status.fd()};
  if (reader.below(8) == 0) fds.resize(reader.below(3));
  const BareMessage refreshed{.header = make_header(MessageType::refreshed, sizeof(BareMessage))};
  std::string further(reinterpret_cast<const char*>(&refreshed), sizeof refreshed);
  if (reader.below(8) == 0) further[reader.below(further.size())] ^= static_cast<char>(reader.byte());
  broker().answer_with(welcome, fds, further);
  auto observer = FeedObserver::connect(broker().address);
  if (!observer) return;
  const auto read = observer->read();
  if (read) LEAT_FUZZ_CHECK(read->producers.size() <= 8 && read->consumers.size() <= 4);
}

}  // namespace leat::fuzz
