// The reader of the hand-over tests: one producer's generated events, of which sequence s holds number s - 1.
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>

#include <leat/consumer.h>

#include "process/helpers/hand_over_words.h"
#include "support/event_checker.h"
#include "support/helper_main.h"

namespace leat::test {
namespace {

using std::chrono::milliseconds;

constexpr std::uintptr_t kPageBytes = 4096;

// The test, which traces us, has seen the fault and done what it wanted to do: now the access to this page may pass.
void lower_tripwire(int, siginfo_t* info, void*) {
  const auto page = reinterpret_cast<std::uintptr_t>(info->si_addr) & ~(kPageBytes - 1);
  if (::mprotect(reinterpret_cast<void*>(page), kPageBytes, PROT_READ) != 0) ::_exit(3);
}

// The ring is mapped twice, back to back, behind its header's page.
void raise_tripwire() {
  struct sigaction action {};
  action.sa_sigaction = &lower_tripwire;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/broadcast") == std::string::npos) continue;
    std::istringstream fields(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::uintptr_t offset = 0;
    char dash = 0;
    std::string rights;
    fields >> std::hex >> begin >> dash >> end >> rights >> offset;
    if (offset == 0) begin += kPageBytes;
    if (begin < end) ::mprotect(reinterpret_cast<void*>(begin), end - begin, PROT_NONE);
  }
}

class HandOverReader {
 public:
  explicit HandOverReader(const HelperArguments& arguments)
      : page_(arguments.page()), seed_(arguments.number("seed")), event_fd_(arguments.text("wait") == "event_fd") {}

  int run(ConsumerOptions options) {
    page_[kReaderReady].store(1);
    page_.wait_for(kReaderGo, 1);  // until then the test gets hold of us
    auto connected = Consumer::connect(std::move(options));
    if (!connected) return complain(connected.error().message);
    Consumer consumer = std::move(*connected);
    for (;;) {
      tell(consumer);
      if (page_[kReaderPauseAt].load() == next_ - 1) {
        page_[kReaderPauseAt].store(~0ULL);
        std::raise(SIGSTOP);
      }
      if (page_[kReaderTripwire].exchange(0) != 0) raise_tripwire();
      const std::uint64_t target = page_[kReaderTarget].load();
      if (target != 0 && next_ > target) return next_ == target + 1 ? 0 : complain("more events than there are");
      EventView event;
      switch (event_fd_ ? poll_or_sleep(consumer, event) : consumer.wait(event, milliseconds(200))) {
        case Poll::event:
          if (!take(event)) return 1;
          break;
        case Poll::empty: break;
        case Poll::reset:
          if (!take_reset(consumer.last_reset())) return 1;
          break;
        case Poll::error: return complain(consumer.last_error().message);
      }
    }
  }

 private:
  static int complain(const std::string& what) {
    std::fprintf(stderr, "reader (pid %d): %s\n", ::getpid(), what.c_str());
    return 1;
  }
  void tell(const Consumer& consumer) {
    const ConsumerStats stats = consumer.stats();
    page_[kReaderLapped].store(stats.lapped);
    page_[kReaderRingBytes].store(stats.ring_bytes);
    page_[kReaderJournalBytes].store(stats.journal_bytes);
    page_[kReaderOnline].store(consumer.online() ? 1 : 0);
    page_[kReaderSequence].store(next_ - 1);
  }
  // As an event loop does it.
  Poll poll_or_sleep(Consumer& consumer, EventView& event) {
    auto fd = consumer.event_fd();
    if (!fd) return consumer.wait(event, milliseconds(10));
    const Poll found = consumer.poll(event);
    if (found != Poll::empty) return found;
    pollfd ready{.fd = *fd, .events = POLLIN, .revents = 0};
    constexpr int kPatienceMs = 60000;  // nothing but the descriptor may wake it in time
    ::poll(&ready, 1, kPatienceMs);
    return Poll::empty;
  }
  bool take(const EventView& event) {
    if (event.sequence != next_) {
      complain("sequence " + std::to_string(event.sequence) + " came, expected " + std::to_string(next_));
      return false;
    }
    const Event wanted = made_.make(seed_, 0, event.sequence - 1, {.max_bytes = 512});
    if (event.payload != wanted.payload || event.message_id != wanted.message_id || event.topic != wanted.topic) {
      complain("sequence " + std::to_string(event.sequence) + " holds wrong bytes");
      return false;
    }
    ++next_;
    return true;
  }
  bool take_reset(const Reset& reset) {
    if (reset.reason != Reset::Reason::expired || reset.wanted_sequence != next_ || reset.earliest_sequence <= next_ ||
        reset.resume.sequence + 1 != reset.earliest_sequence) {
      complain("at sequence " + std::to_string(next_) + ": " + reset.to_string());
      return false;
    }
    next_ = reset.earliest_sequence;
    page_[kReaderResets].fetch_add(1);
    return true;
  }

  SharedPage page_;
  std::uint64_t seed_;
  bool event_fd_;
  std::uint64_t next_ = 1;
  Generated made_;
};

// seed, level (live or durable), wait (futex or event_fd)
int run_reader(const HelperArguments& arguments) {
  HandOverReader reader(arguments);
  return reader.run({.address = arguments.address(),
                     .name = "reader",
                     .start = Start::earliest(),
                     .level = arguments.text("level") == "durable" ? Level::durable : Level::live,
                     .idle = Idle::block});
}
const HelperRegistration kReader("hand_over_reader", &run_reader);

}  // namespace
}  // namespace leat::test
