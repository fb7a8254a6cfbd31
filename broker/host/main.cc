// leatd: the broker of one feed.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <sstream>
#include <string>

#include "broker/host/broker.h"
#include "broker/fault_guard.h"
#include "broker/log.h"
#include "broker/host/notify.h"
#include "broker/host/reload.h"
#include "broker/host/signals.h"
#include "base/program_start.h"

namespace {

using namespace leat;

// A client costs a few descriptors: as many of them as the system allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int status_for(const Error& error) {
  switch (error.code) {
    case ErrorCode::busy: return broker::kExitAnotherBroker;
    case ErrorCode::invalid_argument: return broker::kExitUsage;
    default: return broker::kExitFailed;
  }
}

std::string in_one_line(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// The process around a broker: its log, its signals, whom it tells that it is ready.
class Host {
 public:
  Host(int argc, char** argv, broker::Options options) : argc_(argc), argv_(argv), options_(std::move(options)) {}

  int run() {
    auto notifier = broker::Notifier::open(options_.ready_fd == 0 ? -1 : static_cast<int>(options_.ready_fd));
    if (!notifier) return fail_early(notifier.error());
    notifier_ = std::move(*notifier);
    auto log = broker::Log::open(options_.log_level, options_.log_file);
    if (!log) return fail_early(log.error());
    log_ = std::move(*log);
    if (broker::check_options(options_).ok()) {
      for (const std::string& remark : broker::remarks(options_)) broker::log::warn("{}", remark);
    }
    raise_descriptor_limit();
    broker::install_fault_guard();
    auto signals = broker::SignalThread::start([this] { reload(); });
    if (!signals) return complain(signals.error());
    int status = broker::kExitOk;
    do {
      status = serve((*signals)->stop_fd());
    } while (status == broker::kServeAgain);
    return status;
  }

 private:
  int serve(int stop_fd) {
    auto made = std::make_unique<broker::Broker>(running_options(), &notifier_);
    if (auto opened = made->open(stop_fd); !opened) {
      if (opened.error().code != ErrorCode::closed) return complain(opened.error());
      broker::log::info("{}", opened.error().message);
      return broker::kExitOk;
    }
    set_broker(made.get());
    const int status = made->run(stop_fd);
    set_broker(nullptr);
    return status;
  }

  int complain(const Error& error) const {
    broker::log::critical("{}", error.message);
    return status_for(error);
  }
  int fail_early(const Error& error) const {
    std::fprintf(stderr, "leatd: [critical] %s\n", error.message.c_str());
    return status_for(error);
  }

  broker::Options running_options() {
    const std::lock_guard lock(mutex_);
    return options_;
  }
  void set_broker(broker::Broker* broker) {
    const std::lock_guard lock(mutex_);
    broker_ = broker;
  }

  // On the thread of the signals. What is wrong in the file leaves all as it is.
  void reload() {
    notifier_.reloading();
    log_->reopen();
    reread();
    notifier_.reloaded();
  }

  void reread() {
    const broker::ParsedOptions parsed = broker::parse_options(argc_, argv_);
    if (parsed.exit_now) {
      broker::log::error("SIGHUP: the log was opened anew; the options stay as they are: {}", parsed.text);
      return;
    }
    if (auto checked = broker::check_options(parsed.options); !checked) {
      broker::log::error("SIGHUP: the log was opened anew; the options stay as they are: {}", checked.error().message);
      return;
    }
    auto admission = broker::Admission::parse(parsed.options.allow_publish, parsed.options.allow_subscribe);
    if (!admission) {
      broker::log::error("SIGHUP: the log was opened anew; the options stay as they are: {}",
                         admission.error().message);
      return;
    }
    admission->set_user_share(parsed.options.user_share);
    const std::lock_guard lock(mutex_);
    const broker::SettingChanges changes = broker::compare_settings(options_, parsed.options);
    broker::take_live_settings(options_, parsed.options);
    if (broker_ != nullptr) broker_->set_admission(std::move(*admission));
    broker::Log::set_level(options_.log_level);
    broker::log::info("SIGHUP: the log was opened anew; changed: {}{}",
                      changes.now.empty() ? "nothing" : in_one_line(changes.now),
                      changes.at_restart.empty() ? "" : "; needs a restart: " + in_one_line(changes.at_restart));
  }

  int argc_;
  char** argv_;
  broker::Notifier notifier_;
  std::unique_ptr<broker::Log> log_;  // outlives all that may log
  std::mutex mutex_;
  broker::Options options_;
  broker::Broker* broker_ = nullptr;
};

int run(int argc, char** argv) {
  ::umask(077);  // whatever we were started with: who may have more is told so file by file
  broker::ParsedOptions parsed = broker::parse_options(argc, argv);
  if (parsed.exit_now) {
    std::fprintf(parsed.status == 0 ? stdout : stderr, "%s%s", parsed.text.c_str(),
                 parsed.text.ends_with('\n') ? "" : "\n");
    return parsed.status;
  }
  return Host(argc, argv, std::move(parsed.options)).run();
}

}  // namespace

int main(int argc, char** argv) {
  broker::SignalThread::block_signals();
  internal::prepare_program();
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "leatd: [critical] no memory left (errno %d); free some, then start leatd again\n", ENOMEM);
    return broker::kExitFailed;
  } catch (const std::exception& error) {  // the standard library's own
    std::fprintf(stderr, "leatd: [critical] %s; this is a bug of leatd, please report it\n", error.what());
    return broker::kExitFailed;
  }
}
