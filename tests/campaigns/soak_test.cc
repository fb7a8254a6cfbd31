// A feed with retention, lapping, and clients that come and go, for as long as one likes: what must be flat is flat at
// the end, and the checker, which follows the histories as they are written, is content.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <thread>

#include <sys/stat.h>

#include "campaigns/campaign.h"

namespace leat::test {
namespace {

constexpr std::uint64_t kMostSeconds = 30 * 86'400;

constexpr std::uint64_t kSegmentBytes = 1 << 20;
constexpr std::uint64_t kRetainBytes = 8 << 20;
constexpr std::uint64_t kRotateBytes = 4 << 20;
constexpr std::uint64_t kWindowEvents = 1 << 20;

std::uint64_t allocated_bytes(const std::filesystem::path& directory) {
  constexpr std::uint64_t kBlock = 512;
  std::uint64_t sum = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, ignored)) {
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      sum += static_cast<std::uint64_t>(status.st_blocks) * kBlock;
    }
  }
  return sum;
}

std::uint64_t anonymous_bytes(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10) * 1024;
  }
  return 0;
}

std::uint64_t open_descriptors(pid_t pid) {
  std::error_code ignored;
  std::uint64_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored)) {
    (void)entry;
    ++count;
  }
  return count;
}

/// Highest value of each thing that is measured, in two stretches of the run.
struct Highest {
  std::uint64_t after_warm_up = 0;
  std::uint64_t at_the_end = 0;
};

class Soak : public Campaign {
 protected:
  [[nodiscard]] seconds time_limit() const override { return seconds(300 + duration_s()); }
  [[nodiscard]] static std::uint64_t duration_s() {
    return number_from_environment("LEAT_SOAK_SECONDS", 20, 1, kMostSeconds);
  }

  void SetUp() override {
    Campaign::SetUp();
    broker_->set("--ring-bytes", "256K");
    broker_->set("--segment-bytes", kSegmentBytes);
    broker_->set("--retain-bytes", kRetainBytes);
    broker_->set("--cursor-hold-bytes", 2 * kRetainBytes);
    history_files_.clear();
    own_history_.reset();
    start();
    epoch_ = status().epoch;
    const std::string rotate = "rotate=" + std::to_string(kRotateBytes);
    add("subscriber", "live", {"from=after", rotate});
    add("subscriber", "durable", {"from=after", "level=durable", rotate});
    add("subscriber", "slow", {"delay_us=3000", rotate});
    add("subscriber", "named", {"cursor=named", rotate});
    add("publisher", "p0", {"pause_us=250", rotate});
    add("publisher", "p1", {"pause_us=250", rotate});
    lasting_ = clients_.size();
    add("publisher", "guest", {"pause_us=1000", "count=100", rotate});
    add("subscriber", "visitor", {"from=latest", "count=300", rotate});
    for (std::size_t i = 0; i < clients_.size(); ++i) start_followed(i);
  }

  // Its history is followed from before its first fact.
  void start_followed(std::size_t client) {
    const std::string who = clients_[client]->name + "." + std::to_string(clients_[client]->lives + 1);
    const auto path = histories() / who;
    std::ofstream(path).flush();
    auto source = history::Source::open(path, true);
    if (!source) throw std::runtime_error(source.error().message);
    sources_[client] = &merge_.add(std::move(*source));
    start_client(client);
    history_files_.clear();  // they are removed while they are read
  }

  void follow_histories() {
    history::Fact fact;
    history::Source::Read read{};
    while ((read = merge_.next(fact)) == history::Source::Read::fact) checker_.take(fact);
    ASSERT_NE(read, history::Source::Read::error) << merge_.error().message;
  }

  void replace_guests() {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (clients_[i]->process.running()) continue;
      ASSERT_GE(i, lasting_) << clients_[i]->name << " ended: " << helper_output();
      ASSERT_EQ(clients_[i]->process.wait(), 0) << helper_output();
      end_history(i);
      start_followed(i);
      ++guests_;
    }
  }
  void end_history(std::size_t client) {
    sources_[client]->stop_following();
    finished_.push_back(clients_[client]->history);
    // All but the newest few have been read to their end by now; their last file remains, and is removed here.
    constexpr std::size_t kKept = 64;
    if (finished_.size() > kKept) {
      std::filesystem::remove(finished_.front());
      finished_.erase(finished_.begin());
    }
  }

  void measure(bool warm, bool last) {
    const auto note = [&](const std::string& what, std::uint64_t value) {
      if (warm) measured_[what].after_warm_up = std::max(measured_[what].after_warm_up, value);
      if (last) measured_[what].at_the_end = std::max(measured_[what].at_the_end, value);
    };
    note("leatd RssAnon", anonymous_bytes(broker_->pid()));
    note("leatd descriptors", open_descriptors(broker_->pid()));
    for (std::size_t i = 0; i < lasting_; ++i) {
      note(clients_[i]->name + " RssAnon", anonymous_bytes(clients_[i]->process.pid()));
      note(clients_[i]->name + " descriptors", open_descriptors(clients_[i]->process.pid()));
    }
    note("tmpfs bytes", allocated_bytes(broker_->runtime()));
    note("journal bytes", allocated_bytes(broker_->journal()));
  }

  // How much more at the end is no growth: where a peak falls is chance, a leak would be far beyond after a few hundred
  // clients and some hundred segments.
  static std::uint64_t slack_of(const std::string& what) {
    if (what.ends_with("RssAnon")) return 1 << 20;
    if (what.ends_with("descriptors")) return 4;
    if (what == "tmpfs bytes") return 2 * (64 * 1024 + 4096);
    return 2 * kSegmentBytes;
  }

  void expect_flat() {
    for (const auto& [what, highest] : measured_) {
      std::printf("  %s: %llu after warm-up, %llu at the end\n", what.c_str(),
                  static_cast<unsigned long long>(highest.after_warm_up),
                  static_cast<unsigned long long>(highest.at_the_end));
      EXPECT_LE(highest.at_the_end, highest.after_warm_up + slack_of(what)) << what;
    }
    // Retained, prepared and recycled, and what a named cursor holds.
    EXPECT_LE(measured_["journal bytes"].at_the_end, 2 * kRetainBytes + 6 * kSegmentBytes);
  }

  history::Merge merge_;
  history::Checker checker_{{.window_events = kWindowEvents}};
  std::map<std::size_t, history::Source*> sources_;
  std::vector<std::string> finished_;
  std::size_t lasting_ = 0;
  std::uint64_t guests_ = 0;
  std::map<std::string, Highest> measured_;
};

TEST_F(Soak, MemoryDescriptorsAndFilesStayFlatAndNothingIsLost) {
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const auto total = seconds(duration_s());
  auto next_measure = began;
  for (auto now = began; now < began + total; now = Clock::now()) {
    follow_histories();
    replace_guests();
    if (HasFatalFailure()) return;
    if (now >= next_measure) {
      // The second quarter against the last.
      measure(now >= began + total / 4 && now < began + total / 2, now >= began + total * 3 / 4);
      next_measure = now + milliseconds(250);
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
  const FeedStatus at_end = status();
  finish_clients();
  for (std::size_t i = 0; i < clients_.size(); ++i) sources_[i]->stop_following();
  follow_histories();
  if (HasFatalFailure()) return;
  const history::Report& report = checker_.finish();
  std::printf("soak: seed %llu, %llu s, %llu guests, %llu segments pruned, %llu recycled, %llu cursors saved\n",
              static_cast<unsigned long long>(test_seed()), static_cast<unsigned long long>(duration_s()),
              static_cast<unsigned long long>(guests_), static_cast<unsigned long long>(at_end.pruned_segments),
              static_cast<unsigned long long>(at_end.recycled_segments),
              static_cast<unsigned long long>((*page_)[kSavedWord].load()));
  expect_good(report);
  EXPECT_EQ(report.unchecked, 0U);
  EXPECT_GT(at_end.pruned_segments + at_end.recycled_segments, 0U) << "retention was not at work";
  EXPECT_GT(report.resets, 0U) << "the slow consumer kept up with the retention";
  expect_flat();
}

}  // namespace
}  // namespace leat::test
