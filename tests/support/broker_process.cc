#include "support/broker_process.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <leat/feed_status.h>

#include "base/unique_fd.h"
#include "support/environment.h"

namespace leat::test {
namespace {

const std::map<std::string, std::string> kDefaults = {
    {"--ring-bytes", "256K"},  {"--inbound-slots", "1024"}, {"--arena-bytes", "64K"},
    {"--max-producers", "16"}, {"--max-consumers", "32"},   {"--max-event-bytes", "32K"},
    {"--segment-bytes", "1M"}, {"--retain-bytes", "0"},     {"--sync-interval-ms", "5"},
};

}  // namespace

BrokerProcess::BrokerProcess(std::string tag) : options_(kDefaults) {
  std::ranges::replace(tag, '/', '-');  // as in the names of parameterised tests
  runtime_root_ = make_unique_directory(shared_memory_root(), tag);
  scratch_ = make_unique_directory(temporary_root(), tag);
  address_ = {.feed = "test",
              .runtime_dir = (runtime_root_ / "run").string(),
              .data_dir = (scratch_ / "data").string()};
}

BrokerProcess::~BrokerProcess() {
  process_.kill9();
  if (keep_) return;
  std::error_code ignored;
  std::filesystem::remove_all(runtime_root_, ignored);
  std::filesystem::remove_all(scratch_, ignored);
}

std::vector<std::string> BrokerProcess::command() const {
  std::vector<std::string> words = {LEAT_TEST_LEATD,      "--feed",     address_.feed,    "--runtime-dir",
                                    address_.runtime_dir, "--data-dir", address_.data_dir};
  for (const auto& [option, value] : options_) {
    if (value.empty()) continue;
    words.push_back(option);
    words.push_back(value);
  }
  return words;
}

ChildProcess BrokerProcess::spawn(bool standby) const {
  auto words = command();
  words.insert(words.begin(), prefix_.begin(), prefix_.end());
  if (standby) words.emplace_back("--standby");
  return ChildProcess({.arguments = std::move(words),
                       .environment = environment_,
                       .output = (scratch_ / "leatd.log").string(),
                       .user = std::nullopt});
}

Result<void> BrokerProcess::start() {
  process_ = spawn();
  while (process_.running()) {
    if (FeedObserver::connect(address_).ok()) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return Error{ErrorCode::no_broker, "leatd ended with status " + std::to_string(process_.wait()) + ":\n" + log()};
}

ChildProcess BrokerProcess::start_standby() const { return spawn(true); }

Result<void> BrokerProcess::wait_until_served_by(ChildProcess& broker) const {
  while (broker.running()) {
    auto observer = FeedObserver::connect(address_);
    if (observer) {
      const auto status = observer->read();
      if (status && status->broker_pid == broker.pid()) return {};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return Error{ErrorCode::no_broker, "leatd ended with status " + std::to_string(broker.wait()) + ":\n" + log()};
}

int BrokerProcess::run_to_exit() {
  process_ = spawn();
  return process_.wait();
}

int BrokerProcess::terminate() {
  // In this order. LeakSanitizer looks at a process that ends by stopping it, and a SIGCONT that comes just then takes
  // its SIGSTOP away: both would wait for ever.
  process_.cont();
  process_.send_signal(SIGTERM);
  return process_.wait();
}

std::vector<std::filesystem::path> BrokerProcess::segments() const {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(journal())) {
    if (entry.path().extension() == ".seg") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

internal::Mapping BrokerProcess::map(const std::string& name, internal::Access access) const {
  const auto path = runtime() / "shm" / name;
  const int flags = access == internal::Access::read_only ? O_RDONLY : O_RDWR;
  const internal::UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) throw std::runtime_error("cannot open " + path.string());
  auto mapping = internal::Mapping::map(fd.get(), access, 0, static_cast<std::uint64_t>(status.st_size));
  if (!mapping) throw std::runtime_error(path.string() + ": " + mapping.error().message);
  return std::move(*mapping);
}

std::string BrokerProcess::log() const { return read_file(scratch_ / "leatd.log"); }

std::vector<std::string> BrokerProcess::unexpected_log_lines() const {
  static constexpr const char* kBad[] = {"[error]", "[critical]", "ERROR: ", "WARNING: ThreadSanitizer",
                                         "runtime error"};
  std::vector<std::string> found;
  std::istringstream lines(log());
  for (std::string line; std::getline(lines, line);) {
    const auto holds = [&](const auto& text) { return line.find(text) != std::string::npos; };
    if (std::ranges::any_of(kBad, holds) && std::ranges::none_of(expected_, holds)) found.push_back(line);
  }
  return found;
}

std::string BrokerProcess::where() const {
  return "rings in " + runtime_root_.string() + "; journal, log and outputs in " + scratch_.string();
}

}  // namespace leat::test
