// A consumer, or a reader of a journal, in a fork's child: every call says so, and nothing that the child does reaches
// what is its parent's.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include <leat/journal.h>

#include "process/load.h"

namespace leat::test {
namespace {

// What `checks` complains of in a child of fork(); a crash is a complaint too.
std::string in_child(const std::function<void(std::string&)>& checks) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string complaints;
    checks(complaints);
    [[maybe_unused]] const ssize_t sent = ::write(ends[1], complaints.data(), complaints.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  char part[512];
  for (ssize_t got = 0; (got = ::read(ends[0], part, sizeof part)) > 0;)
    said.append(part, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) said += "the child ended with wait status " + std::to_string(status);
  return said;
}

void note(std::string& complaints, bool good, const std::string& what) {
  if (!good) complaints += what + "; ";
}

class ForkedConsumers : public LoadTest {
 protected:
  void publish(std::uint64_t count) {
    Producer producer = connect_producer();
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
    }
  }
  std::unique_ptr<Consumer> connect(Start from = Start::earliest(), const std::string& cursor = "kept") {
    auto connected = Consumer::connect({.address = broker_->address(), .start = from, .cursor_name = cursor});
    if (!connected) {
      ADD_FAILURE() << connected.error().message;
      return nullptr;
    }
    return std::make_unique<Consumer>(std::move(*connected));
  }
};

void use_every_way(Consumer& consumer, std::string& complaints) {
  const auto is_told = [&](Poll found, const char* what) {
    note(complaints, found == Poll::error && consumer.last_error().code == ErrorCode::used_after_fork, what);
  };
  EventView event;
  is_told(consumer.poll(event), "poll");
  is_told(consumer.poll(event), "poll again");
  is_told(consumer.wait(event, milliseconds(10)), "wait");
  is_told(consumer.wait(event, std::chrono::nanoseconds::max()), "wait for ever");
  note(complaints, consumer.for_each([](const EventView&) {}).error.code == ErrorCode::used_after_fork, "for_each");
  for (const EventView& found : consumer) note(complaints, false, "range-for gave " + std::to_string(found.sequence));
  note(complaints, consumer.ended().error.code == ErrorCode::used_after_fork, "ended");
  const auto code_of = [](const auto& result) { return result.ok() ? ErrorCode::ok : result.error().code; };
  note(complaints, code_of(consumer.save_cursor()) == ErrorCode::used_after_fork, "save_cursor");
  note(complaints, code_of(consumer.drop_cursor()) == ErrorCode::used_after_fork, "drop_cursor");
  note(complaints, code_of(consumer.event_fd()) == ErrorCode::used_after_fork, "event_fd");
  note(complaints, !consumer.online(), "online");
  (void)consumer.latest_sequence();
  (void)consumer.earliest_sequence();
  (void)consumer.stats();
  (void)consumer.cursor();
  (void)consumer.last_reset();
}

TEST_F(ForkedConsumers, SayUsedAfterForkInEveryCallAndTheirParentGoesOn) {
  start();
  publish(40);
  auto consumer = connect();
  EXPECT_EQ(take_event(*consumer).sequence, 1U);  // the others lie in its buffer now
  EXPECT_EQ(in_child([&](std::string& complaints) { use_every_way(*consumer, complaints); }), "");
  for (std::uint64_t i = 2; i <= 40; ++i) ASSERT_EQ(take_event(*consumer).sequence, i);
  EXPECT_EQ(in_child([&](std::string& complaints) { use_every_way(*consumer, complaints); }), "")
      << "with nothing to read";
  publish(1);
  EXPECT_EQ(take_event(*consumer).sequence, 41U);
  EXPECT_TRUE(consumer->save_cursor().ok());
}

TEST_F(ForkedConsumers, SaySoAlsoWithAResetToReportAndWithoutABroker) {
  start();
  publish(3);
  auto reset = connect(Start::at(1000), "");
  EXPECT_EQ(in_child([&](std::string& complaints) { use_every_way(*reset, complaints); }), "");
  EventView event;
  EXPECT_EQ(reset->poll(event), Poll::reset);
  ASSERT_EQ(broker_->terminate(), 0);
  auto offline = connect();
  EXPECT_EQ(in_child([&](std::string& complaints) { use_every_way(*offline, complaints); }), "");
  EXPECT_EQ(take_event(*offline).sequence, 1U);
}

TEST_F(ForkedConsumers, AreDestroyedAndReplacedInAChildWithoutAWordForTheirParent) {
  start();
  publish(5);
  auto consumer = connect();
  EventView event;
  for (std::uint64_t i = 1; i <= 5; ++i) ASSERT_EQ(take_event(*consumer).sequence, i);
  ASSERT_EQ(consumer->poll(event), Poll::empty);
  auto fd = consumer->event_fd();
  ASSERT_TRUE(fd.ok());
  const FeedAddress address = broker_->address();
  EXPECT_EQ(in_child([&](std::string& complaints) {
              note(complaints, consumer->poll(event) == Poll::error, "poll");
              auto anew = Consumer::connect({.address = address, .start = Start::earliest()});
              note(complaints, anew.ok(), "connects anew");
              if (anew) *consumer = std::move(*anew);
              note(complaints, consumer->wait(event, kPatience) == Poll::event && event.sequence == 1,
                   "the new one reads");
              consumer.reset();
            }),
            "");
  publish(1);
  pollfd wait{.fd = *fd, .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 20'000), 1);
  EXPECT_EQ(take_event(*consumer).sequence, 6U);
  ASSERT_TRUE(consumer->save_cursor().ok()) << "the cursor is still the parent's";
  (void)consumer->stats();
  const auto rows = status().consumers;
  ASSERT_FALSE(rows.empty());
  EXPECT_EQ(rows.front().sequence, 6U);
}

// The eventfd is one for both after fork(), and so is the epoll set: a child must neither ring nor empty it.
TEST_F(ForkedConsumers, LeaveTheirParentsDescriptorAsItIs) {
  start();
  auto consumer = connect();
  auto fd = consumer->event_fd();
  ASSERT_TRUE(fd.ok());
  pollfd wait{.fd = *fd, .events = POLLIN, .revents = 0};
  EventView event;
  ASSERT_EQ(consumer->poll(event), Poll::empty);
  broker_->stop();  // which rings now and then
  ASSERT_EQ(consumer->poll(event), Poll::empty);
  ASSERT_EQ(::poll(&wait, 1, 0), 0) << "armed";
  const auto use_and_destroy = [&](std::string& complaints) {
    use_every_way(*consumer, complaints);
    consumer.reset();
  };
  EXPECT_EQ(in_child(use_and_destroy), "");
  EXPECT_EQ(::poll(&wait, 1, 0), 0) << "the child rang its parent's bell";
  broker_->cont();
  publish(1);
  ASSERT_EQ(::poll(&wait, 1, 20'000), 1);
  EXPECT_EQ(in_child(use_and_destroy), "");
  EXPECT_EQ(::poll(&wait, 1, 0), 1) << "the child took what was its parent's";
  EXPECT_EQ(take_event(*consumer).sequence, 1U);
}

TEST_F(ForkedConsumers, ReadersOfJournalsSaySoToo) {
  start();
  publish(5);
  ASSERT_EQ(broker_->terminate(), 0);
  auto reader = read_journal(broker_->journal());
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EventView event;
  ASSERT_EQ(reader->next(event), Poll::event);
  EXPECT_EQ(in_child([&](std::string& complaints) {
              note(complaints, reader->next(event) == Poll::error, "next");
              note(complaints, reader->last_error().code == ErrorCode::used_after_fork, "the code");
              note(complaints, reader->for_each([](const EventView&) {}).error.code == ErrorCode::used_after_fork,
                   "for_each");
              auto anew = read_journal(broker_->journal());
              if (anew) *reader = std::move(*anew);
              note(complaints, reader->next(event) == Poll::event && event.sequence == 1, "the new one reads");
            }),
            "");
  for (std::uint64_t i = 2; i <= 5; ++i) {
    ASSERT_EQ(reader->next(event), Poll::event);
    EXPECT_EQ(event.sequence, i);
  }
}

}  // namespace
}  // namespace leat::test
