#include "tools/leat/bench_broker.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <thread>
#include <utility>

#include <leat/feed_status.h>

extern char** environ;

namespace leat::tool {
namespace {

constexpr auto kStartTimeout = std::chrono::seconds(20);
constexpr auto kStartPoll = std::chrono::milliseconds(1);

std::string leatd_path() {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  const auto beside = self.parent_path() / "leatd";
  // One that may not be looked at is tried: its own error says more than that of another in $PATH.
  return !failed && (::access(beside.c_str(), F_OK) == 0 || errno != ENOENT) ? beside.string() : "leatd";
}

Result<std::filesystem::path> make_root(const std::string& parent) {
  std::string name = parent + "/leat-bench-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return system_error(errno, "making a directory in " + parent);
  return std::filesystem::path(name);
}

}  // namespace

PrivateBroker::PrivateBroker(PrivateBroker&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      data_root_(std::exchange(other.data_root_, {})),
      runtime_root_(std::exchange(other.runtime_root_, {})),
      address_(std::move(other.address_)) {}

void PrivateBroker::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::kill(pid_, SIGCONT);  // should somebody have stopped it
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Result<void> PrivateBroker::start_again(const std::vector<std::string>& options) {
  if (auto launched = launch(options); !launched) return launched;
  return await();
}

PrivateBroker::~PrivateBroker() {
  stop();
  std::error_code ignored;
  if (!data_root_.empty()) std::filesystem::remove_all(data_root_, ignored);
  if (!runtime_root_.empty()) std::filesystem::remove_all(runtime_root_, ignored);
}

Result<PrivateBroker> PrivateBroker::start(const std::string& data_parent, const std::vector<std::string>& options) {
  PrivateBroker broker;
  auto data = make_root(data_parent);
  if (!data) return data.error();
  broker.data_root_ = *data;
  auto runtime = make_root("/dev/shm");
  if (!runtime) return runtime.error();
  broker.runtime_root_ = *runtime;
  broker.address_ = {.feed = "bench", .runtime_dir = runtime->string(), .data_dir = data->string()};
  if (auto started = broker.start_again(options); !started) return started.error();
  return broker;
}

Result<void> PrivateBroker::launch(const std::vector<std::string>& options) {
  std::vector<std::string> words =
      {leatd_path(),      "--feed",      "bench",   "--runtime-dir", address_.runtime_dir,         "--data-dir",
       address_.data_dir, "--log-level", "warning", "--log-file",    (data_root_ / "log").string()};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int failed = ::posix_spawnp(&pid_, arguments[0], nullptr, nullptr, arguments.data(), environ);
  if (failed == 0) return {};
  pid_ = -1;
  return system_error(failed, "starting " + words[0]);
}

std::string PrivateBroker::log_tail() const {
  std::ifstream log(data_root_ / "log");
  std::string last;
  for (std::string line; std::getline(log, line);) last = line;
  return last;
}

Result<void> PrivateBroker::await() {
  const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
  while (std::chrono::steady_clock::now() < deadline) {
    if (FeedObserver::connect(address_).ok()) return {};
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return Error{ErrorCode::no_broker, "the benchmark's leatd ended at once: " + log_tail()};
    }
    std::this_thread::sleep_for(kStartPoll);
  }
  return Error{ErrorCode::no_broker, "the benchmark's leatd did not come up: " + log_tail()};
}

}  // namespace leat::tool
