// Producers, consumers, the broker and its standby, all killed and stopped at random; the checker judges what they say.
#include <csignal>
#include <cstdio>
#include <map>
#include <thread>

#include "campaigns/campaign.h"

namespace leat::test {
namespace {

constexpr std::uint64_t kMostRounds = 1'000'000;

constexpr std::size_t kBrokers = 2;  // one serves, one waits; which is which changes

class KillRandom : public Campaign {
 protected:
  [[nodiscard]] seconds time_limit() const override { return seconds(600); }

  void SetUp() override {
    Campaign::SetUp();
    prng_ = Prng(test_seed());
    // Small, so that kills fall on rolls, laps, full arenas and full rings too.
    broker_->set("--ring-bytes", "64K");
    broker_->set("--max-event-bytes", "8K");
    broker_->set("--inbound-slots", "64");
    broker_->set("--max-producers", "8");
    broker_->set("--arena-bytes", "16K");
    broker_->set("--segment-bytes", "128K");
    broker_->set("--sync", prng_.below(2) == 0 ? "interval" : "always");
  }

  void start_all() {
    brokers_[0] = broker_->start_standby();
    const auto served = broker_->wait_until_served_by(brokers_[0]);
    if (!served) throw std::runtime_error(served.error().message);
    epoch_ = status().epoch;
    brokers_[1] = broker_->start_standby();
    for (int i = 0; i < 3; ++i) add("publisher", "p" + std::to_string(i), {"pause_us=500", "max=4096"});
    add("subscriber", "live", {"from=after"});
    add("subscriber", "durable", {"from=after", "level=durable"});
    add("subscriber", "slow", {"from=after", "delay_us=400"});
    add("subscriber", "named", {"cursor=named"});
    for (std::size_t i = 0; i < clients_.size(); ++i) start_client(i);
    wait_until_all_are_connected();
  }

  std::size_t random_client(const std::string& helper) {
    for (;;) {
      const std::size_t client = prng_.below(clients_.size());
      if (clients_[client]->helper == helper) return client;
    }
  }
  void pause_up_to(std::uint64_t limit_us) {
    std::this_thread::sleep_for(std::chrono::microseconds(prng_.below(limit_us)));
  }

  void kill_client(const std::string& helper) {
    const std::size_t client = random_client(helper);
    clients_[client]->process.kill9();
    ++counts_[helper + "s killed"];
    start_client(client);
  }
  void stop_client(const std::string& helper) {
    Client& client = *clients_[random_client(helper)];
    if (!client.stopped) client.process.send_signal(SIGSTOP);
    client.stopped = true;
    ++counts_[helper + "s stopped"];
  }
  // A broker is idle most of the time, and there a kill is harmless. So most of them come just after somebody has begun
  // to publish: within the microseconds in which the event is taken, appended, shown and acknowledged.
  void wait_for_work() {
    using Clock = std::chrono::steady_clock;
    constexpr std::uint64_t kOneIn = 4;
    if (prng_.below(kOneIn) == 0) return;
    const auto patience = Clock::now() + milliseconds(5);
    const std::uint64_t before = (*page_)[kBegunWord].load();
    while ((*page_)[kBegunWord].load() == before && Clock::now() < patience) {
    }
    const auto strike = Clock::now() + std::chrono::nanoseconds(prng_.below(60'000));
    while (Clock::now() < strike) {
    }
  }
  void kill_broker(std::size_t broker) {
    wait_for_work();
    brokers_[broker].kill9();
    tell_broker("killed");
    ++counts_["brokers killed"];
  }
  void stop_broker(std::size_t broker) {
    brokers_[broker].cont();
    brokers_[broker].send_signal(SIGTERM);
    const int status = brokers_[broker].wait();
    // One that has only just been started may not have got as far as to hear it.
    EXPECT_TRUE(status == 0 || status == 128 + SIGTERM) << status;
    tell_broker("stopped");
    ++counts_["brokers stopped cleanly"];
  }
  void start_broker(std::size_t broker) {
    tell_broker("started");
    brokers_[broker] = broker_->start_standby();
  }

  void act() {
    constexpr std::uint64_t kDeeds = 14;
    const std::size_t broker = prng_.below(kBrokers);
    switch (prng_.below(kDeeds)) {
      case 0:
      case 1: return kill_client("publisher");
      case 2: return stop_client("publisher");
      case 3: return kill_client("subscriber");
      case 4: return stop_client("subscriber");
      case 5:
      case 6:
      case 7:
      case 8: kill_broker(broker); return start_broker(broker);
      case 9:  // both at once; nobody serves until one has recovered
        kill_broker(0);
        kill_broker(1);
        start_broker(0);
        return start_broker(1);
      case 10:  // the standby is killed while it takes over
        kill_broker(broker);
        pause_up_to(10'000);
        kill_broker(1 - broker);
        start_broker(broker);
        return start_broker(1 - broker);
      case 11:  // a clean stop
        stop_broker(broker);
        return start_broker(broker);
      default:
        brokers_[broker].send_signal(SIGSTOP);
        ++counts_["brokers suspended"];
        return;
    }
  }

  // Whoever was stopped goes on, each with some likelihood: so some stand still for several rounds.
  void let_some_go_on(std::uint64_t one_in) {
    for (auto& client : clients_) {
      if (!client->stopped || prng_.below(one_in) != 0) continue;
      client->process.cont();
      client->stopped = false;
    }
    for (ChildProcess& broker : brokers_) {
      if (prng_.below(one_in) == 0) broker.cont();
    }
  }

  void expect_all_alive() {
    for (auto& client : clients_) {
      ASSERT_TRUE(client->process.running()) << client->name << " ended with " << client->process.wait() << "\n"
                                             << helper_output();
    }
    for (ChildProcess& broker : brokers_) {
      ASSERT_TRUE(broker.running()) << "leatd ended with " << broker.wait();
    }
  }

  // One leatd is left, and becomes the fixture's.
  void leave_one_broker() {
    for (ChildProcess& broker : brokers_) broker.cont();
    brokers_[1].kill9();
    const auto served = broker_->wait_until_served_by(brokers_[0]);
    ASSERT_TRUE(served.ok()) << served.error().message;
    broker_->replace_by(std::move(brokers_[0]));
  }

  Prng prng_{0};
  ChildProcess brokers_[kBrokers];
  std::map<std::string, std::uint64_t> counts_;
};

TEST_F(KillRandom, NothingIsLostRepeatedReorderedOrTorn) {
  const std::uint64_t rounds = scaled(number_from_environment("LEAT_KILL_ROUNDS", 200, 1, kMostRounds));
  start_all();
  for (std::uint64_t round = 0; round < rounds; ++round) {
    act();
    pause_up_to(40'000);
    let_some_go_on(3);
    expect_all_alive();
    if (HasFatalFailure()) return;
  }
  let_some_go_on(1);
  leave_one_broker();
  if (HasFatalFailure()) return;
  EXPECT_EQ(status().epoch, epoch_);
  const std::uint64_t lives = status().broker_life;
  finish_clients();
  write_journal_history();
  std::printf("kill-random: seed %llu, %llu rounds, %llu lives of the broker",
              static_cast<unsigned long long>(test_seed()), static_cast<unsigned long long>(rounds),
              static_cast<unsigned long long>(lives));
  for (const auto& [what, count] : counts_)
    std::printf(", %llu %s", static_cast<unsigned long long>(count), what.c_str());
  std::printf(", %llu cursors saved\n", static_cast<unsigned long long>((*page_)[kSavedWord].load()));
  judge({.resets_allowed = false});
}

}  // namespace
}  // namespace leat::test
