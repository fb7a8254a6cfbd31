#include "broker/host/broker.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

#include "broker/host/directories.h"
#include "broker/host/feed_lock.h"
#include "broker/log.h"

namespace leat::broker {

using namespace internal;

Broker::~Broker() = default;

Result<void> Broker::open(int stop_fd) {
  if (auto checked = check_options(options_); !checked) return checked;
  mind_real_time();
  auto admission = Admission::parse(options_.allow_publish, options_.allow_subscribe);
  if (!admission) return admission.error();
  admission_ = std::move(*admission);
  admission_.set_user_share(options_.user_share);
  auto paths = resolve_feed({.feed = options_.feed, .runtime_dir = options_.runtime_dir, .data_dir = options_.data_dir},
                            admission_.admits_others());
  if (!paths) return paths.error();
  paths_ = std::move(*paths);
  if (auto fits = check_socket_path((paths_.runtime / "control.sock").string()); !fits) return fits;
  StartTrace trace;  // whatever refuses the start from here on, nothing of it stays
  trace_ = &trace;
  auto done = open_traced(stop_fd);
  if (done) trace.keep();
  trace_ = nullptr;
  return done;
}

// What can refuse a start comes first, as far as it can be known before anything is changed.
Result<void> Broker::open_traced(int stop_fd) {
  if (auto alone = become_the_broker(stop_fd); !alone) return alone;
  if (auto enough = check_resources(); !enough) return enough;
  auto door = std::make_unique<ListeningSocket>();
  if (auto bound = door->prepare((paths_.runtime / "control.sock").string(), admission_.socket_mode()); !bound)
    return bound;
  feed_ = std::make_unique<Feed>(options_,
                                 FeedPlaces{.journal = {.fd = journal_fd_.get(), .path = paths_.journal.string()},
                                            .rings = paths_.runtime / "shm",
                                            .journal_lock_fd = journal_lock_.fd()},
                                 StageHooks{.wake_control = [this] {
                                   if (control_) control_->wake();
                                 }});
  trace_->did([this] {
    control_.reset();
    feed_->take_back();
  });
  if (auto opened = feed_->open(); !opened) return opened;
  control_ = std::make_unique<ControlServer>(*feed_, admission_);
  if (auto done = control_->open(); !done) return done;
  control_->watch_adopted(feed_->adopted());
  return control_->listen(std::move(door));
}

// A thread that spins under a real-time policy never gives its core to anybody below it, the kernel's own threads among
// them.
void Broker::mind_real_time() {
  const int policy = ::sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
  if (policy != SCHED_FIFO && policy != SCHED_RR) return;
  if (options_.idle == IdleStrategy::spin) {
    options_.idle = IdleStrategy::block;
    log::warn(
        "leatd runs under {}: --idle spin would take a core from all others for good, so it sleeps (block) instead",
        policy == SCHED_FIFO ? "SCHED_FIFO" : "SCHED_RR");
  } else {
    log::info("leatd runs under {}", policy == SCHED_FIFO ? "SCHED_FIFO" : "SCHED_RR");
  }
}

// Descriptors and threads that we cannot do without.
Result<void> Broker::check_resources() {
  constexpr int kDescriptors = 40;
  std::vector<UniqueFd> taken;
  for (int i = 0; i < kDescriptors; ++i) {
    taken.emplace_back(::fcntl(journal_fd_.get(), F_DUPFD_CLOEXEC, 0));
    if (!taken.back().valid())
      return system_error(errno, "taking the " + std::to_string(kDescriptors) + " descriptors that leatd needs");
  }
  try {
    std::promise<void> enough;
    const std::future<void> answered = enough.get_future();
    std::thread first(
        [&] { answered.wait(); });  // both at once, as they will be: one that has ended makes room for the next
    std::exception_ptr failed;
    try {
      std::thread([] {}).join();
    } catch (...) {
      failed = std::current_exception();
    }
    enough.set_value();
    first.join();
    if (failed) std::rethrow_exception(failed);
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "starting a thread");
  }
  return {};
}

// Whoever can write above our directory can put another one in its place.
void Broker::mind_parents(const std::filesystem::path& directory) {
  for (std::filesystem::path above = directory.parent_path(); above.has_relative_path(); above = above.parent_path()) {
    struct stat status {};
    if (::stat(above.c_str(), &status) != 0) return;
    const bool sticky = (status.st_mode & S_ISVTX) != 0;
    const bool others_write = (status.st_mode & 022) != 0 && !sticky;
    if (status.st_uid == 0 || status.st_uid == ::geteuid()) {
      if (!others_write) continue;
    }
    log::warn(
        "{} belongs to user {} and has mode {:o}: others could put another directory in the place of {}; chmod go-w "
        "it, or choose another --runtime-dir",
        above.string(), status.st_uid, status.st_mode & 07777, directory.string());
    return;
  }
}

namespace {
constexpr const char* kJournalAdvice = "run leatd as the directory's owner, or choose another --data-dir";
constexpr const char* kRuntimeAdvice = "remove it, or choose another --runtime-dir";
// Where all can write nobody but they and root can take it away.
constexpr const char* kTheirsAdvice =
    "have them or root remove it, or name a directory of your own to leatd and its clients: --runtime-dir, "
    "LEAT_RUNTIME_DIR or, without allow rules, XDG_RUNTIME_DIR";
}  // namespace

Result<void> Broker::open_directories(Modes modes) {
  const mode_t mode = admission_.admits_others() ? 0711 : 0700;
  if (auto done = make_parents(paths_.runtime.parent_path().parent_path()); !done) return done;
  const bool default_base = !paths_.runtime_was_named;
  if (auto done = make_directory(paths_.runtime.parent_path(), mode); !done) return done;
  if (default_base) {  // anybody could have made it before us
    if (auto done = check_owner(paths_.runtime.parent_path(), kRuntimeAdvice, kTheirsAdvice); !done) return done;
    // It is shared by all feeds of this user: opened when one of them is, never closed again.
    if (modes == Modes::set && mode == 0711 && ::chmod(paths_.runtime.parent_path().c_str(), mode) != 0) {
      return system_error(errno, "chmod of " + paths_.runtime.parent_path().string());
    }
  }
  if (auto done = make_directory(paths_.runtime, mode); !done) return done;
  if (auto done = check_owner(paths_.runtime, kRuntimeAdvice, kTheirsAdvice); !done) return done;
  if (modes == Modes::set) {
    mind_parents(paths_.runtime);
    if (auto done = make_own_directory(paths_.runtime, mode); !done) return done;
  }
  if (auto done = make_own_directory(paths_.runtime / "shm", 0700); !done) return done;
  if (auto done = make_parents(paths_.journal.parent_path()); !done) return done;
  auto journal = take_journal_directory(paths_.journal, kJournalAdvice);
  if (!journal) return journal.error();
  journal_fd_ = std::move(*journal);
  return {};
}

// A standby leaves the directories of the broker that serves alone: they become its own with the lock.
Result<void> Broker::become_the_broker(int stop_fd) {
  const auto journal_path = paths_.journal / kLockFileName;
  const auto runtime_path = paths_.runtime / "shm" / "lock";
  for (;;) {
    struct stat there {};
    const bool missing =
        ::stat(paths_.journal.c_str(), &there) != 0;  // for whatever reason: open_directories() says it
    if (!options_.standby || missing) {
      if (auto done = open_directories(Modes::leave); !done) return done;
    } else if (auto ours = check_owner(paths_.journal, kJournalAdvice); !ours) {
      return ours;
    }
    if (auto done = lock(journal_lock_, journal_path, stop_fd); !done) return done;
    // Again: they may have been moved while we waited. Only now are they ours to change.
    if (auto done = open_directories(Modes::leave); !done) return done;
    if (auto done = lock(runtime_lock_, runtime_path, stop_fd); !done) return done;
    if (lock_is_in_place(journal_lock_) && lock_is_in_place(runtime_lock_)) {
      return open_directories(Modes::set);
    }
    log::warn("the directories of feed '{}' were moved or removed meanwhile: trying again", options_.feed);
    runtime_lock_ = FileLock();
    journal_lock_ = FileLock();
  }
}

Result<void> Broker::lock(FileLock& held, const std::filesystem::path& path, int stop_fd) {
  const auto waits = [&] {
    if (notifier_ != nullptr) notifier_->waiting("standby: another broker serves feed " + options_.feed);
  };
  auto taken = options_.standby ? wait_for_lock(path, options_.feed, stop_fd, waits) : take_lock(path, options_.feed);
  if (!taken) return taken.error();
  held = std::move(*taken);
  return {};
}

int Broker::run(int stop_fd) {
  ControlCounters& counters = feed_->files().status_header().control;
  counters.pid.store(::getpid(), std::memory_order_relaxed);
  counters.broker_life.store(feed_->broker_life(), std::memory_order_relaxed);
  counters.inbound_slots.store(feed_->stages().inbound.slots(), std::memory_order_relaxed);
  feed_->set_state(FeedState::running);
  // Producers that see this ask at once for our bounds, and find us listening.
  feed_->files().inbound_header().broker_life.store(feed_->broker_life(), std::memory_order_release);
  if (auto started = feed_->start(); !started) {
    log::critical("{}", started.error().message);
    return kExitFailed;
  }
  const std::string socket = (paths_.runtime / "control.sock").string();
  log::info("ready: {} (life {}, {})", socket, feed_->broker_life(), paths_.journal.string());
  control_->watch_names(watched_names());
  if (notifier_ != nullptr) {
    notifier_->ready("serves feed " + options_.feed + " at " + socket);
    control_->on_tick([this] { notifier_->alive(); });
  }
  const auto served = control_->run(stop_fd);
  if (!served) log::critical("the control thread ends: {}", served.error().message);
  const Names names = served && *served == ControlServer::End::name_lost ? Names::lost : Names::in_place;
  if (notifier_ != nullptr && names == Names::in_place) notifier_->stopping();
  const int status = shut_down(names);
  if (status == kExitOk && names == Names::lost) return kServeAgain;
  return served.ok() ? status : kExitFailed;
}

NameWatch Broker::watched_names() {
  NameWatch names;
  runtime_fd_ = UniqueFd(::open(paths_.runtime.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::filesystem::path shm = paths_.runtime / "shm";
  if (runtime_fd_.valid()) names.add(paths_.runtime, runtime_fd_.get());
  names.add(shm / "lock", runtime_lock_.fd());
  names.add(shm / "inbound", feed_->files().inbound.fd.get());
  names.add(shm / "registry", feed_->files().registry.fd.get());
  names.add(shm / "broadcast", feed_->files().broadcast.fd.get());
  names.add(shm / "doorbell", feed_->files().doorbell.fd.get());
  return names;
}

void Broker::set_admission(Admission admission) {
  if (admission.admits_others()) {  // as at a start: opened when somebody else may come, closed at the next start only
    ::chmod(paths_.runtime.c_str(), 0711);
    if (!paths_.runtime_was_named) {
      ::chmod(paths_.runtime.parent_path().c_str(), 0711);
    }
  }
  feed_->cursors().set_user_share(admission.user_share());
  control_->set_admission(std::move(admission));
}

int Broker::shut_down(Names names) {
  control_->close_listener();
  if (names == Names::lost)
    feed_->files().tell_retired();  // before the last round: what is published after it would be lost
  feed_->stop();
  control_->take_notices();
  const bool failed = feed_->has_failed();
  const bool held = feed_->is_held();
  if (!failed) {
    if (auto closed = feed_->close(); !closed) {
      log::critical("the journal could not be closed: {}; what is on disk is found out at the next start",
                    closed.error().message);
      // For want of room nothing is lost: what was accepted waits in rings and arenas for the next broker.
      if (closed.error().code != ErrorCode::no_space) feed_->set_state(FeedState::failed);
      return kExitFailed;
    }
    feed_->set_state(FeedState::stopped);
  }
  if (!failed && held) {
    log::critical(
        "the journal was closed, but its names are not as they were, as said above: put them right before the next "
        "start; what was accepted since waits in the rings");
  }
  if (!failed && !held && (names == Names::lost || (feed_->registry().empty() && !control_->has_clients()))) {
    feed_->files().remove_all();
  } else {
    log::info("rings and arenas stay for the clients that are still there");
  }
  log::info("stopped at sequence {}{}", feed_->sequencer().sequence(), failed ? " (failed)" : "");
  return failed || held ? kExitFailed : kExitOk;
}

}  // namespace leat::broker
