// What can be done to the control socket by those who may connect to it: others are served all the same.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "process/load.h"
#include "base/mapping.h"
#include "shm/control/control_socket.h"
#include "shm/ingest/arena_writer.h"
#include "shm/ingest/inbound_ring.h"
#include "record/record.h"

namespace leat::test {
namespace {

using namespace internal;

class ControlAbuse : public LoadTest {
 protected:
  void SetUp() override {
    LoadTest::SetUp();
    start();
    descriptors_ = open_descriptors();
  }

  UniqueFd connect_raw() const {
    const std::string path = (broker_->runtime() / "control.sock").string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    // Blocks while the listener's queue is full: that is the kernel's answer to a flood.
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    return socket;
  }
  static HelloMessage hello(Role role) {
    HelloMessage message{};
    message.header = make_header(MessageType::hello, sizeof message);
    message.role = static_cast<std::uint32_t>(role);
    std::memset(message.name, 'x', sizeof message.name);  // not terminated
    return message;
  }
  // A raw client that was let in.
  UniqueFd admitted(Role role) const {
    UniqueFd socket = connect_raw();
    const HelloMessage message = hello(role);
    EXPECT_TRUE(send_message(socket.get(), &message, sizeof message).ok());
    Received answer;
    EXPECT_TRUE(receive_message(socket.get(), answer, 10'000).ok());
    EXPECT_TRUE(check_message(answer, MessageType::welcome, sizeof(WelcomeMessage)).ok());
    return socket;
  }
  static bool closed_by_broker(int socket) {
    Received received;
    for (;;) {
      if (auto got = receive_message(socket, received, 10'000); !got) return false;
      if (received.size == 0) return true;
    }
  }
  void expect_others_are_served() {
    Producer producer = connect_producer();
    const auto sent = producer.publish_and_wait({.topic = "served"}, Ack::committed, kPatience);
    ASSERT_TRUE(sent.ok()) << sent.error().message;
    Consumer consumer = connect_consumer(Start::at(*sent));
    EXPECT_EQ(take_event(consumer).topic, "served");
    (void)status();
  }
  std::size_t open_descriptors() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(broker_->pid()) + "/fd")) {
      ++count;
    }
    return count;
  }
  // Each client leaves nothing behind in the broker.
  void expect_descriptors_come_back() {
    while (open_descriptors() > descriptors_) std::this_thread::sleep_for(milliseconds(5));
  }
  std::size_t descriptors_ = 0;
};

TEST_F(ControlAbuse, ConnectionsThatSayNothingDoNotUseUpTheBroker) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 600; ++i) silent.push_back(connect_raw());
  expect_others_are_served();
  EXPECT_LT(open_descriptors(), descriptors_ + 100);
  EXPECT_TRUE(closed_by_broker(silent.front().get())) << "the oldest had to go";
  silent.clear();
  expect_descriptors_come_back();
}

TEST_F(ControlAbuse, MessagesThatMakeNoSenseEndTheirConnectionAlone) {
  Consumer consumer = connect_consumer();
  Prng random(test_seed());
  for (std::uint64_t i = 0; i < scaled(400); ++i) {
    const UniqueFd socket = connect_raw();
    ASSERT_TRUE(socket.valid());
    std::string bytes(1 + random.below(i % 16 == 0 ? 60'000 : 700), '\0');
    for (char& c : bytes) c = static_cast<char>(random.next());
    if (i % 2 == 0) {  // a good header, or half a hello
      const HelloMessage message = hello(static_cast<Role>(random.below(5)));
      bytes.replace(0, sizeof message, reinterpret_cast<const char*>(&message), sizeof message);
      if (bytes.size() <= sizeof message) bytes.push_back('\0');
      if (i % 4 == 0) bytes.resize(random.below(sizeof message));
    }
    (void)::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (bytes.empty()) continue;
    EXPECT_TRUE(closed_by_broker(socket.get())) << i;
  }
  expect_others_are_served();
  EXPECT_GE(status().refused_connections, 1U);
  EXPECT_EQ(take_event(consumer).topic, "served");
}

TEST_F(ControlAbuse, DescriptorsThatNobodyAskedForAreClosed) {
  constexpr std::size_t kMany = 250;
  std::vector<UniqueFd> held;
  for (int i = 0; i < 20; ++i) {
    held.push_back(connect_raw());
    HelloMessage message = hello(Role::observer);
    iovec part{.iov_base = &message, .iov_len = sizeof message};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMany * sizeof(int))> control{};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    packet.msg_control = control.data();
    const std::size_t count = i % 2 == 0 ? kMany : 3;
    packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* const rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (std::size_t n = 0; n < count; ++n) {
      const int fd = STDERR_FILENO;
      std::memcpy(CMSG_DATA(rights) + n * sizeof(int), &fd, sizeof fd);
    }
    ASSERT_GE(::sendmsg(held.back().get(), &packet, MSG_NOSIGNAL), 0);
  }
  expect_others_are_served();
  EXPECT_LT(open_descriptors(), descriptors_ + 40);
  held.clear();
  expect_descriptors_come_back();
}

// Messages as fast as they go, from clients that were let in and from others, without reading an answer.
TEST_F(ControlAbuse, AFloodHoldsNobodyUp) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> flooders;
  for (int i = 0; i < 4; ++i) {
    flooders.emplace_back([&, i] {
      OpenFileMessage ask{};
      ask.header = make_header(MessageType::open_file, sizeof ask);
      std::strncpy(ask.name, "feed", sizeof ask.name);
      const BareMessage refresh{.header = make_header(MessageType::refresh, sizeof(BareMessage))};
      while (!stop.load()) {
        const UniqueFd socket = i == 0 ? connect_raw() : admitted(i == 1 ? Role::observer : Role::consumer);
        for (int n = 0; n < 300 && !stop.load(); ++n) {
          const bool sent = i == 1 ? send_message(socket.get(), &refresh, sizeof refresh).ok()
                                   : send_message(socket.get(), &ask, sizeof ask).ok();
          if (!sent) break;
        }
      }
    });
  }
  const std::uint64_t count = scaled(5000);
  add_producer({"count=" + std::to_string(count)});
  add_consumer();
  for (int i = 0; i < 10; ++i) (void)connect_consumer();
  for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
  finish_consumers();
  stop.store(true);
  for (std::thread& flooder : flooders) flooder.join();
  check_journal();
  expect_descriptors_come_back();
  EXPECT_LT(broker_->log().size(), 200'000U) << "what clients can cause without end does not fill the log";
}

TEST_F(ControlAbuse, ObserversOfOneUserAreLimitedAndTheLimitIsTold) {
  std::vector<UniqueFd> observers;
  for (int i = 0; i < 63; ++i) observers.push_back(admitted(Role::observer));
  auto last = FeedObserver::connect(broker_->address());
  EXPECT_TRUE(last.ok()) << last.error().message;
  expect_error(FeedObserver::connect(broker_->address()), ErrorCode::busy,
               {"observes this feed 64 times", "close some"});
  observers.clear();
  Producer producer = connect_producer();
  EXPECT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
}

// A producer that shows its token again over another connection: the end of the first one must not take its slot away.
TEST_F(ControlAbuse, ASlotThatWasTakenUpAgainOutlivesTheFirstConnection) {
  UniqueFd first = connect_raw();
  HelloMessage message = hello(Role::producer);
  ASSERT_TRUE(send_message(first.get(), &message, sizeof message).ok());
  Received answer;
  ASSERT_TRUE(receive_message(first.get(), answer, 10'000).ok());
  WelcomeMessage welcome;
  std::memcpy(&welcome, answer.bytes.data(), sizeof welcome);
  message.resume_slot = welcome.slot;
  message.resume_token = welcome.token;
  const UniqueFd second = connect_raw();
  ASSERT_TRUE(send_message(second.get(), &message, sizeof message).ok());
  Received resumed;
  ASSERT_TRUE(receive_message(second.get(), resumed, 10'000).ok());
  WelcomeMessage again;
  std::memcpy(&again, resumed.bytes.data(), sizeof again);
  EXPECT_EQ(again.resumed, 1U);
  const BareMessage leave{.header = make_header(MessageType::leave, sizeof(BareMessage))};
  (void)send_message(first.get(), &leave, sizeof leave).ok();  // it speaks for nobody any more
  first.reset();
  expect_others_are_served();  // and so the end of the first has been dealt with
  const std::uint64_t slots = welcome.inbound_slots;
  auto ring = Mapping::map(answer.fds[0].get(), Access::read_write, 0, inbound_file_bytes(slots));
  auto arena_map = Mapping::map_mirrored(answer.fds[1].get(), Access::read_write, kPageBytes, welcome.arena_bytes);
  ASSERT_TRUE(ring.ok() && arena_map.ok());
  InboundProducer inbound(ring->data(), slots, welcome.max_producers);
  ArenaWriter arena(arena_map->data(), welcome.arena_bytes, 0);
  const std::size_t bytes = padded_record_bytes(record_length(1, 0, 0, 0));
  std::byte* const room = arena.reserve(bytes);
  ASSERT_NE(room, nullptr);
  encode_event(room, {.topic = "t"}, 0, 1, 0);
  arena.seal(static_cast<std::uint32_t>(bytes), 1, 1);
  const std::uint64_t full = full_slot(welcome.slot, welcome.generation & ((1U << kGenerationBits) - 1), 0);
  ASSERT_EQ(inbound.fill(inbound.take_ticket(), full), Fill::ok);
  inbound.wake_sequencer();
  arena.advance(bytes);
  while (completion_status(arena.completion(0)) == CompletionStatus::pending) {
    ASSERT_EQ(status().bad_tickets, 0U) << "the slot is not its any more";
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(completion_status(arena.completion(0)), CompletionStatus::committed);
}

// Consumers of other users get the journal through the broker: its segments and its identity, and nothing else.
TEST_F(ControlAbuse, NoFileButTheJournalsOwnIsHandedOut) {
  std::ofstream(broker_->journal() / "secret") << "nobody's business";
  const auto ask = [&](const std::string& name) {
    UniqueFd socket = admitted(Role::consumer);
    OpenFileMessage message{};
    message.header = make_header(MessageType::open_file, sizeof message);
    name.copy(message.name, sizeof message.name);
    EXPECT_TRUE(send_message(socket.get(), &message, sizeof message).ok());
    Received answer;
    EXPECT_TRUE(receive_message(socket.get(), answer, 10'000).ok());
    return answer;
  };
  const std::vector<std::string> names = {"secret",      "../" + broker_->address().feed + "/feed",
                                          "/etc/passwd", "",
                                          ".",           "cursors",
                                          "feed.new",    std::string(sizeof(OpenFileMessage::name), 'f')};
  for (const std::string& name : names) {
    const Received answer = ask(name);
    EXPECT_EQ(answer.size, 0U) << "'" << name << "' was answered";
    EXPECT_EQ(answer.fd_count, 0U) << "'" << name << "' was handed out";
  }
  const Received feed = ask("feed");
  EXPECT_EQ(feed.fd_count, 1U);
  expect_others_are_served();
}

TEST_F(ControlAbuse, ASlotIsKeptWhereOnlyTheConnectionHasEnded) {
  UniqueFd first = connect_raw();
  HelloMessage message = hello(Role::producer);
  ASSERT_TRUE(send_message(first.get(), &message, sizeof message).ok());
  Received answer;  // holds the arena until the end, as a producer's mapping does
  ASSERT_TRUE(receive_message(first.get(), answer, 10'000).ok());
  WelcomeMessage welcome;
  std::memcpy(&welcome, answer.bytes.data(), sizeof welcome);
  ASSERT_EQ(welcome.status, 0U);
  first.reset();               // without a farewell
  expect_others_are_served();  // and so the end of the connection has been dealt with
  message.resume_slot = welcome.slot;
  message.resume_token = welcome.token;
  const UniqueFd second = connect_raw();
  ASSERT_TRUE(send_message(second.get(), &message, sizeof message).ok());
  Received resumed;
  ASSERT_TRUE(receive_message(second.get(), resumed, 10'000).ok());
  WelcomeMessage again;
  std::memcpy(&again, resumed.bytes.data(), sizeof again);
  EXPECT_EQ(again.status, 0U) << again.text;
  EXPECT_EQ(again.resumed, 1U);
}

// Only the token says whose slot it is.
TEST_F(ControlAbuse, ASlotIsNobodysWithoutItsToken) {
  const auto say = [&](const HelloMessage& message, UniqueFd& socket) {
    socket = connect_raw();
    EXPECT_TRUE(send_message(socket.get(), &message, sizeof message).ok());
    Received answer;
    EXPECT_TRUE(receive_message(socket.get(), answer, 10'000).ok());
    WelcomeMessage welcome{};
    std::memcpy(&welcome, answer.bytes.data(), sizeof welcome);
    return welcome;
  };
  HelloMessage message = hello(Role::producer);
  UniqueFd first;
  const WelcomeMessage welcome = say(message, first);
  ASSERT_EQ(welcome.status, 0U);
  struct Claim {
    std::uint32_t slot;
    std::uint64_t token;
  };
  for (const Claim& claim : {Claim{welcome.slot, welcome.token ^ 1}, Claim{welcome.slot, 1},
                             Claim{welcome.slot + 1, welcome.token}, Claim{~0U, welcome.token}}) {
    message.resume_slot = claim.slot;
    message.resume_token = claim.token;
    UniqueFd thief;
    EXPECT_EQ(say(message, thief).status, static_cast<std::uint32_t>(ErrorCode::refused)) << claim.slot;
  }
  message.resume_slot = welcome.slot;
  message.resume_token = welcome.token;
  UniqueFd owner;
  EXPECT_EQ(say(message, owner).resumed, 1U);
}

}  // namespace
}  // namespace leat::test
