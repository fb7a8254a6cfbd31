// Each system call of leatd fails once, at every place that the standard life of a feed (scenario.h) reaches: in the
// long form all of them (LEAT_TORTURE=long), in the short form one place of each call and errno.
//
// To repeat a failure: LEAT_FAULT=<call>:<first>:<errno>[:<times>] LEAT_TEST_SEED=<seed>, as the failure says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <thread>

#include "process/faults/scenario.h"
#include "support/environment.h"
#include "support/number.h"
#include "support/payload.h"
#include "support/watchdog.h"

namespace leat::test {
namespace {

constexpr std::size_t kAtATime = 3;  // they wait more than they work

struct Kind {
  Call call;
  std::vector<int> errors;
};

const std::vector<Kind> kKinds = {
    {Call::open, {EIO, ENOSPC, EMFILE, ENOMEM, EINTR}},
    {Call::read, {EIO, EINTR, kShortCount}},
    {Call::pread, {EIO, EINTR, kShortCount}},
    {Call::write, {EIO, ENOSPC, EINTR, kShortCount}},
    {Call::pwrite, {EIO, ENOSPC, EINTR, kShortCount}},
    {Call::allocate, {EIO, ENOSPC, EINTR}},
    {Call::fsync, {EIO, ENOSPC}},
    {Call::fdatasync, {EIO, ENOSPC}},
    {Call::mmap, {ENOMEM}},
    {Call::rename, {EIO, ENOSPC, ENOMEM}},
    {Call::unlink, {EIO, ENOMEM}},
    {Call::stat, {EIO, ENOMEM}},
    {Call::mkdir, {EIO, ENOSPC}},
    {Call::chmod, {EIO}},
    {Call::flock, {EINTR, ENOLCK}},
    {Call::statvfs, {EIO}},
    {Call::fcntl, {EMFILE}},
    {Call::fdopendir, {ENOMEM}},
    {Call::readdir, {EIO}},
    {Call::socket, {EMFILE, ENOMEM}},
    {Call::bind, {ENOSPC, EIO}},
    {Call::listen, {EIO}},
    {Call::accept, {EMFILE, ENOMEM, EINTR}},
    {Call::getsockopt, {ENOMEM}},
    {Call::sendmsg, {EIO, ENOMEM, EINTR, EAGAIN}},
    {Call::recvmsg, {EIO, ENOMEM, EINTR}},
    {Call::poll, {ENOMEM, EINTR}},
    {Call::epoll_create, {EMFILE, ENOMEM}},
    {Call::epoll_ctl, {ENOMEM, ENOSPC}},
    {Call::epoll_wait, {EINTR}},
    {Call::eventfd, {EMFILE, ENOMEM}},
    {Call::pidfd_open, {EMFILE, ENOMEM}},
    {Call::thread, {EAGAIN}},
    {Call::wake, {EIO}},
};

bool long_form() {
  const char* form = std::getenv("LEAT_TORTURE");
  return form != nullptr && std::string_view(form) == "long";
}

ScenarioOptions options_for(const Fault& fault, std::uint64_t seed) {
  return {.fault = fault, .seed = seed, .shim = LEAT_TEST_FAULT_SHIM, .most_open = {}};
}

std::string repeat_with(const Fault& fault, std::uint64_t seed) {
  const std::string error = fault.error == kShortCount ? "0" : std::to_string(fault.error);
  return "LEAT_FAULT=" + std::string(kCallNames[static_cast<std::size_t>(fault.call)]) + ":" +
         std::to_string(fault.first) + ":" + error + ":" + std::to_string(fault.times) +
         " LEAT_TEST_SEED=" + std::to_string(seed) + " leat_fault_tests --gtest_filter=SystemCalls.*";
}

std::string describe(const Outcome& outcome) {
  std::string text;
  for (const std::string& wrong : outcome.wrong) text += "\n  " + wrong;
  return text + "\n  kept: " + outcome.files;
}

class SystemCalls : public testing::Test {
 protected:
  void SetUp() override {
    Prng prng(test_seed());
    prng_ = prng;
    // Without faults: how many calls there are, and how many descriptors it takes.
    for (std::uint64_t run = 0; run < kBaselines; ++run) {
      const Outcome outcome = run_scenario(options_for({}, test_seed() + run));
      ASSERT_TRUE(outcome.wrong.empty()) << describe(outcome);
      for (const auto& [kind, count] : outcome.open) most_open_[kind] = std::max(most_open_[kind], count);
      for (std::size_t i = 0; i < kCallCount; ++i) counts_[i] = std::max(counts_[i], outcome.counts[i]);
    }
  }

  Outcome run(const Fault& fault, std::uint64_t seed) {
    ScenarioOptions options = options_for(fault, seed);
    options.most_open = most_open_;
    Outcome outcome = run_scenario(options);
    const std::lock_guard lock(mutex_);
    ++runs_;
    hits_ += outcome.hits > 0 ? 1 : 0;
    failed_starts_ += outcome.failed_starts;
    ended_ += outcome.ended;
    feed_failures_ += outcome.feed_failures;
    went_on_ += outcome.hits > 0 && outcome.failed_starts + outcome.ended + outcome.feed_failures == 0 ? 1 : 0;
    if (std::getenv("LEAT_FAULT_TRACE") != nullptr) {
      std::fprintf(stderr, "%s: %s: %s\n", fault.to_string().c_str(), outcome.where.c_str(),
                   outcome.hits == 0           ? "not reached"
                   : outcome.failed_starts > 0 ? "does not start"
                   : outcome.ended > 0         ? "ends"
                   : outcome.feed_failures > 0 ? "the feed fails"
                                               : "goes on");
    }
    if (!outcome.wrong.empty()) {
      ++broken_;
      ADD_FAILURE() << fault.to_string() << ", " << outcome.where << "; repeat with " << repeat_with(fault, seed)
                    << describe(outcome);
    }
    return outcome;
  }

  // What the long form would do, in numbers of lives.
  void print_counts() const {
    for (const Kind& kind : kKinds) {
      const auto index = static_cast<std::size_t>(kind.call);
      std::fprintf(stderr, "%s: called %llu times, %zu errors\n", kCallNames[index].data(),
                   static_cast<unsigned long long>(counts_[index]), kind.errors.size());
    }
  }

  // Runs `jobs` of these, a few at a time; gives up after some failures.
  template <typename Job>
  void run_all(std::size_t jobs, Job job) {
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kAtATime; ++i) {
      threads.emplace_back([&] {
        for (std::size_t at = 0; broken_ < kMostBroken && (at = next.fetch_add(1)) < jobs;) job(at);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void report() const {
    std::printf(
        "%llu lives, %llu of them with a fault that struck: %llu went on, %llu starts failed, leatd ended %llu "
        "times while it served, the feed stopped accepting %llu times; seed %llu\n",
        static_cast<unsigned long long>(runs_), static_cast<unsigned long long>(hits_),
        static_cast<unsigned long long>(went_on_), static_cast<unsigned long long>(failed_starts_),
        static_cast<unsigned long long>(ended_), static_cast<unsigned long long>(feed_failures_),
        static_cast<unsigned long long>(test_seed()));
  }

  [[nodiscard]] std::uint64_t count_of(Call call) const { return counts_[static_cast<std::size_t>(call)]; }

  static constexpr std::uint64_t kBaselines = 2;
  static constexpr std::uint64_t kMostBroken = 12;
  Prng prng_{0};
  std::map<std::string, int> most_open_;
  std::array<std::uint64_t, kCallCount> counts_{};
  std::mutex mutex_;
  std::atomic<std::uint64_t> broken_{0};
  std::uint64_t runs_ = 0, hits_ = 0, went_on_ = 0, failed_starts_ = 0, ended_ = 0, feed_failures_ = 0;
};

// "<call>:<first>:<errno>[:<times>]"
Fault parse_fault(const std::string& text) {
  std::istringstream fields(text);
  std::string name;
  std::string number;
  Fault fault;
  std::getline(fields, name, ':');
  const auto found = std::ranges::find(kCallNames, name);
  fault.call = static_cast<Call>(found == kCallNames.end() ? 0 : found - kCallNames.begin());
  if (std::getline(fields, number, ':')) fault.first = number_or_exit("LEAT_FAULT", number);
  if (std::getline(fields, number, ':')) fault.error = static_cast<int>(number_or_exit("LEAT_FAULT", number, 0, 4095));
  if (std::getline(fields, number, ':')) fault.times = number_or_exit("LEAT_FAULT", number);
  return fault;
}

TEST_F(SystemCalls, FailOneByOneAndNothingIsLostRepeatedOrReorderedAndLeatdSaysWhy) {
  if (std::getenv("LEAT_FAULT_TRACE") != nullptr) print_counts();
  if (const char* one = std::getenv("LEAT_FAULT"); one != nullptr) {
    run(parse_fault(one), test_seed());
    return report();
  }
  struct Job {
    Fault fault;
    std::uint64_t seed;
  };
  std::vector<Job> jobs;
  for (const Kind& kind : kKinds) {
    for (const int error : kind.errors) {
      const std::uint64_t count = count_of(kind.call);
      EXPECT_GT(count, 0U) << kCallNames[static_cast<std::size_t>(kind.call)] << " is never called: not tested";
      for (std::uint64_t i = 0; i < (long_form() ? count : 1); ++i) {
        const std::uint64_t nth = long_form() ? i + 1 : 1 + prng_.below(count);
        jobs.push_back(
            {.fault = {.call = kind.call, .error = error, .first = nth}, .seed = test_seed() + jobs.size() % 2});
      }
    }
  }
  // Threads race, so a late call may not come in this run: then an earlier one is taken.
  run_all(jobs.size(), [&](std::size_t at) {
    Fault fault = jobs[at].fault;
    while (run(fault, jobs[at].seed).hits == 0 && !long_form() && fault.first > 1) fault.first = 1 + fault.first / 2;
  });
  report();
}

// Whoever waits for it, a stop that was asked for among them, has no other sign.
TEST_F(SystemCalls, AFailedWriteOfAnEventfdIsTriedAgain) {
  const std::uint64_t count = count_of(Call::wake);
  ASSERT_GT(count, 0U) << "never called: not tested";
  run_all(count, [&](std::size_t at) { run({.call = Call::wake, .error = EIO, .first = at + 1}, test_seed()); });
  EXPECT_GT(hits_, 0U);
  report();
}

}  // namespace
}  // namespace leat::test
