// leatd --standby: waits for the broker to end, however that comes, and takes over.
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "process/load.h"
#include "base/unique_fd.h"
#include "journal/format/segment_layout.h"

namespace leat::test {
namespace {

class Standby : public LoadTest {
 protected:
  void wait_for_log(const std::string& text, std::size_t times = 1) {
    for (;;) {
      std::size_t found = 0;
      const std::string log = broker_->log();
      for (std::size_t at = 0; (at = log.find(text, at)) != std::string::npos; ++at) ++found;
      if (found >= times) return;
      std::this_thread::sleep_for(milliseconds(2));
    }
  }
  ChildProcess start_waiting_standby(std::size_t waiting = 1) {
    auto standby = broker_->start_standby();
    wait_for_log("standby: another broker serves feed 'test'; waiting for ", waiting);
    return standby;
  }
  void expect_served_by(ChildProcess& broker) {
    const auto served = broker_->wait_until_served_by(broker);
    ASSERT_TRUE(served.ok()) << served.error().message;
  }
  void move_journal_away() {
    auto moved = broker_->journal();
    moved += ".old";
    std::filesystem::rename(broker_->journal(), moved);
  }
  // The broker is killed after `something` has come upon its directories, and the standby notices.
  template <typename Something>
  void take_over_after(Something something) {
    start();
    auto standby = start_waiting_standby();
    something();
    broker_->kill9();
    expect_served_by(standby);
    broker_->replace_by(std::move(standby));
    wait_for_log("were moved or removed meanwhile");
  }
  void start_load() {
    start();
    for (int i = 0; i < 2; ++i) add_consumer();
    add_consumer({"level=durable"});
    for (int i = 0; i < 3; ++i) add_producer();
    wait_until_connected();
  }
  // Processor time that a process has used, in clock ticks.
  static std::uint64_t ticks_of(pid_t pid) {
    const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    fields >> user >> system;
    return user + system;
  }
};

TEST_F(Standby, ServesAfterAKillAndNobodySeesAGap) {
  start_load();
  const FeedStatus before = status();
  for (int i = 0; i < 5; ++i) {
    auto standby = start_waiting_standby(static_cast<std::size_t>(i) + 1);
    wait_for_accepted(accepted() + 2000);
    broker_->kill9();
    expect_served_by(standby);
    broker_->replace_by(std::move(standby));
  }
  finish_producers();
  finish_consumers();
  check_journal();
  const FeedStatus after = status();
  EXPECT_EQ(after.epoch, before.epoch);
  EXPECT_EQ(after.broker_life, before.broker_life + 5);
  EXPECT_EQ(after.latest_sequence, accepted());
  wait_for_log("standby: takes over feed 'test' after ");
}

TEST_F(Standby, ServesAfterACleanStopToo) {
  start_load();
  const FeedStatus before = status();
  auto standby = start_waiting_standby();
  wait_for_accepted(1000);
  ASSERT_EQ(broker_->terminate(), 0);
  expect_served_by(standby);
  broker_->replace_by(std::move(standby));
  wait_for_accepted(accepted() + 1000);
  finish_producers();
  finish_consumers();
  check_journal();
  EXPECT_EQ(status().epoch, before.epoch);
}

TEST_F(Standby, ServesAFeedThatWasStoppedWithoutClients) {
  start();
  auto standby = start_waiting_standby();
  ASSERT_EQ(broker_->terminate(), 0);  // takes the rings away: nobody is left who wants them
  expect_served_by(standby);
  broker_->replace_by(std::move(standby));
  EXPECT_TRUE(connect_producer().publish_and_wait({.topic = "a"}, Ack::durable, kPatience).ok());
}

TEST_F(Standby, ServesAtOnceIfNobodyDoes) {
  auto first = broker_->start_standby();
  expect_served_by(first);
  broker_->replace_by(std::move(first));
  EXPECT_EQ(broker_->log().find("standby:"), std::string::npos) << broker_->log();
}

TEST_F(Standby, SeveralMayWaitAndOneAfterTheOtherServes) {
  start();
  std::vector<ChildProcess> waiting;
  for (std::size_t i = 1; i <= 3; ++i) waiting.push_back(start_waiting_standby(i));
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer();
  std::uint64_t sequence = 0;
  while (!waiting.empty()) {
    broker_->kill9();
    ASSERT_TRUE(producer.publish({.topic = "a"}).ok());
    EXPECT_EQ(take_event(consumer).sequence, ++sequence) << "into the arena, while nobody served";
    const pid_t serving = status().broker_pid;
    const auto now = std::ranges::find_if(waiting, [&](const ChildProcess& child) { return child.pid() == serving; });
    ASSERT_NE(now, waiting.end());
    broker_->replace_by(std::move(*now));
    waiting.erase(now);
    for (ChildProcess& other : waiting) EXPECT_TRUE(other.running());
  }
}

TEST_F(Standby, WaitsAsleepAndEndsWithZeroWhenItIsToldTo) {
  start();
  for (const int signal : {SIGTERM, SIGINT}) {
    auto standby = start_waiting_standby(signal == SIGTERM ? 1 : 2);
    const std::uint64_t before = ticks_of(standby.pid());
    std::this_thread::sleep_for(milliseconds(300));
    EXPECT_LE(ticks_of(standby.pid()), before + 1) << "it spins";
    standby.send_signal(signal);
    EXPECT_EQ(standby.wait(), 0);
  }
  wait_for_log("standby: told to stop while it waited");
  EXPECT_TRUE(connect_producer().publish_and_wait({.topic = "a"}, Ack::committed, kPatience).ok());
}

TEST_F(Standby, MayBeKilledWhileItWaits) {
  start();
  start_waiting_standby().kill9();
  auto next = start_waiting_standby(2);
  broker_->kill9();
  expect_served_by(next);
  broker_->replace_by(std::move(next));
}

TEST_F(Standby, MayBeStoppedAndContinuedWhileItWaits) {
  start();
  auto standby = start_waiting_standby();
  standby.stop();
  broker_->kill9();
  standby.cont();
  expect_served_by(standby);
  broker_->replace_by(std::move(standby));
}

TEST_F(Standby, TellsABadOptionAtOnceAndNotWhenItIsNeeded) {
  start();
  auto command = broker_->command();
  command.insert(command.end(), {"--standby", "--max-arena-bytes", "4K"});
  const std::string output = (broker_->scratch() / "other.log").string();
  ChildProcess other({.arguments = std::move(command), .environment = {}, .output = output, .user = std::nullopt});
  EXPECT_EQ(other.wait(), 2);
  EXPECT_NE(read_file(output).find("--arena-bytes"), std::string::npos) << read_file(output);
}

TEST_F(Standby, LooksAgainWhenTheJournalWasMovedAwayWhileItWaited) {
  take_over_after([&] { move_journal_away(); });
  EXPECT_TRUE(std::filesystem::exists(broker_->journal() / "feed")) << "a new feed, where the old one was";
  EXPECT_TRUE(connect_producer().publish_and_wait({.topic = "a"}, Ack::committed, kPatience).ok());
}

// The lock that it was given by then is not the one that others would look for.
TEST_F(Standby, LooksAgainWhenAnotherDirectoryStandsThereMeanwhile) {
  const auto lock = broker_->journal() / internal::kLockFileName;
  take_over_after([&] {
    move_journal_away();
    std::filesystem::create_directory(broker_->journal());
    std::ofstream(lock) << "";
  });
  const internal::UniqueFd held(::open(lock.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_NE(::flock(held.get(), LOCK_EX | LOCK_NB), 0) << "it serves the journal without the lock that others ask for";
}

TEST_F(Standby, CanBeAskedForInAFile) {
  start();
  const auto config = broker_->scratch() / "leatd.toml";
  std::ofstream(config) << "standby = true\n";
  auto command = broker_->command();
  command.insert(command.end(), {"--config", config.string()});
  ChildProcess standby({.arguments = std::move(command),
                        .environment = {},
                        .output = (broker_->scratch() / "leatd.log").string(),
                        .user = std::nullopt});
  wait_for_log("standby: another broker");
  broker_->kill9();
  expect_served_by(standby);
  broker_->replace_by(std::move(standby));
}

}  // namespace
}  // namespace leat::test
