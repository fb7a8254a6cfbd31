// Clients in a poor world: standard streams closed, no descriptor left, no address space, system calls that are not
// there. They say what is missing, and the broker keeps nothing of those who did not get in.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <leat/leat.h>

#include "process/helpers/words.h"
#include "support/helper_main.h"
#include "support/broker_test.h"
#include "support/environment.h"
#include "base/unique_fd.h"

namespace leat::test {
namespace {

int fail(const char* what, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", what, why.c_str());
  return 1;
}

// closed: bits of the standard descriptors that are closed before anything is opened. Prints to all three in between.
int run_without_streams(const HelperArguments& arguments) {
  SharedPage page(arguments.page());
  for (int fd = 0; fd <= 2; ++fd) {
    if ((arguments.number("closed") >> fd & 1) != 0) ::close(fd);
  }
  auto producer = Producer::connect({.address = arguments.address()});
  auto consumer = Consumer::connect({.address = arguments.address(), .start = Start::latest(), .cursor_name = "c"});
  auto observer = FeedObserver::connect(arguments.address());
  if (!producer || !consumer || !observer) return 2;
  if (!consumer->event_fd().ok()) return 3;
  const std::string text(200, 'x');
  for (int fd = 0; fd <= 2; ++fd) {
    const bool is_closed = (arguments.number("closed") >> fd & 1) != 0;
    if (is_closed && ::write(fd, text.data(), text.size()) >= 0) return 10 + fd;  // into something of ours
  }
  if (!producer->publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok()) return 4;
  EventView event;
  if (consumer->wait(event, kPatience) != Poll::event || !consumer->save_cursor().ok()) return 5;
  if (!observer->read().ok()) return 6;
  return 0;
}
const HelperRegistration kWithoutStreams("without-streams", &run_without_streams);

template <typename T>
bool is_clear(const Result<T>& result, const char* part) {
  if (result.ok()) return true;
  if (result.error().message.find(part) != std::string::npos) return true;
  fail("an unclear error", result.error().message);
  return false;
}

// Tries with ever fewer descriptors to spare. Each failure must say what is missing; what was there before goes on.
int run_without_descriptors(const HelperArguments& arguments) {
  auto before = Producer::connect({.address = arguments.address()});
  if (!before) return fail("connect", before.error().message);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const int next = ::dup(2);
  ::close(next);
  int failed = 0;
  for (int spare = 0; spare < 12; ++spare) {
    limit.rlim_cur = static_cast<rlim_t>(next + spare);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const auto producer = Producer::connect({.address = arguments.address()});
    const auto consumer = Consumer::connect({.address = arguments.address(), .start = Start::latest()});
    const auto observer = FeedObserver::connect(arguments.address());
    failed += (producer ? 0 : 1) + (consumer ? 0 : 1) + (observer ? 0 : 1);
    const char* const part = "limit of open files";
    if (!is_clear(producer, part) || !is_clear(consumer, part) || !is_clear(observer, part)) return 1;
    if (!before->publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok()) return fail("publish", "meanwhile");
  }
  if (failed < 3) return fail("nothing failed", std::to_string(failed));
  return 0;
}
const HelperRegistration kWithoutDescriptors("without-descriptors", &run_without_descriptors);

// The same with ever less address space.
int run_without_memory(const HelperArguments& arguments) {
  auto before = Producer::connect({.address = arguments.address()});
  if (!before) return fail("connect", before.error().message);
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  if (file == nullptr || std::fscanf(file, "%lu", &pages) != 1) return fail("statm", "");
  std::fclose(file);
  int failed = 0;
  for (const rlim_t spare : {rlim_t{64} << 10, rlim_t{512} << 10, rlim_t{1536} << 10, rlim_t{3} << 20}) {
    const rlimit limit{.rlim_cur = pages * 4096 + spare, .rlim_max = RLIM_INFINITY};
    ::setrlimit(RLIMIT_AS, &limit);
    const auto producer = Producer::connect({.address = arguments.address(), .arena_bytes = 4 << 20});
    const auto observer = FeedObserver::connect(arguments.address());
    failed += (producer ? 0 : 1) + (observer ? 0 : 1);
    if (!is_clear(producer, "emory") || !is_clear(observer, "emory")) return 1;
    if (before->publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok()) continue;
    return fail("publish", "meanwhile");
  }
  if (failed < 2) return fail("nothing failed", std::to_string(failed));
  return 0;
}
const HelperRegistration kWithoutMemory("without-memory", &run_without_memory);

// All that malloc would give, down to the last bytes; given back at the end.
class EveryByte {
 public:
  EveryByte() {
    for (std::size_t bytes = std::size_t{1} << 20; bytes >= sizeof(Block); bytes /= 2) {
      while (void* const room = std::malloc(bytes)) taken_ = new (room) Block{taken_};
    }
  }
  ~EveryByte() {
    while (taken_ != nullptr) std::free(std::exchange(taken_, taken_->next));
  }
  EveryByte(const EveryByte&) = delete;
  EveryByte& operator=(const EveryByte&) = delete;

 private:
  struct Block {
    Block* next;
  };
  Block* taken_ = nullptr;
};

// The next broker comes while not a byte is to be had: the calls that throw nothing do without, and go on later.
int run_without_a_byte(const HelperArguments& arguments) {
  SharedPage page(arguments.page());
  auto producer = Producer::connect({.address = arguments.address()});
  if (!producer || !producer->publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok()) return 1;
  page[kReadyWord].store(1);
  page.wait_for(kGoWord, 1);
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  if (file == nullptr || std::fscanf(file, "%lu", &pages) != 1) return fail("statm", "");
  std::fclose(file);
  rlimit limit{.rlim_cur = pages * 4096, .rlim_max = RLIM_INFINITY};
  ::setrlimit(RLIMIT_AS, &limit);
  {
    const EveryByte none;
    for (int i = 0; i < 300; ++i) {
      (void)producer->try_publish({.topic = "t"});
      ::usleep(1000);
    }
  }
  limit.rlim_cur = RLIM_INFINITY;
  ::setrlimit(RLIMIT_AS, &limit);
  Result<std::uint64_t> sent = 0;
  while (!(sent = producer->publish_and_wait({.topic = "last"}, Ack::durable, kPatience)).ok()) {
    if (sent.error().code != ErrorCode::closed) return fail("publish_and_wait", sent.error().message);
  }
  return 0;
}
const HelperRegistration kWithoutAByte("without-a-byte", &run_without_a_byte);

// call, errno: from here on that system call is answered so.
int run_without_call(const HelperArguments& arguments) {
  const auto number = static_cast<std::uint32_t>(arguments.number("call"));
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
                        BPF_STMT(BPF_RET | BPF_K,
                                 SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(arguments.number("errno"))),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{.len = 4, .filter = code};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    return 77;
  auto producer = Producer::connect({.address = arguments.address()});
  auto consumer = Consumer::connect({.address = arguments.address(), .start = Start::latest()});
  if (!producer || !consumer) return fail("connect", producer ? consumer.error().message : producer.error().message);
  for (int i = 0; i < 20; ++i) {
    const auto sent = producer->publish_and_wait({.topic = "t"}, Ack::durable, kPatience);
    if (!sent) return fail("publish_and_wait", sent.error().message);
    EventView event;
    if (consumer->wait(event, kPatience) != Poll::event) return fail("wait", consumer->last_error().message);
  }
  return 0;
}
const HelperRegistration kWithoutCall("without-call", &run_without_call);

class ClientLimits : public BrokerTest {
 protected:
  void check(const std::string& helper, const std::vector<std::string>& arguments) {
    ChildProcess process = start_helper(helper, arguments);
    const int status_of_helper = process.wait();
    if (status_of_helper == 77) GTEST_SKIP() << "no seccomp here";
    EXPECT_EQ(status_of_helper, 0) << helper << "\n" << helper_output();
  }
  void TearDown() override {
    if (broker_->running()) {
      while (!status().producers.empty()) std::this_thread::sleep_for(milliseconds(5));
    }
    BrokerTest::TearDown();
  }
};

TEST_F(ClientLimits, WithStandardStreamsClosedNothingThatIsPrintedGoesToTheBroker) {
  start();
  for (int closed = 1; closed < 8; ++closed) {
    SCOPED_TRACE(closed);
    check("without-streams", {"closed=" + std::to_string(closed)});
  }
}

TEST_F(ClientLimits, WithoutDescriptorsClientsSaySoAndOthersGoOn) {
  start();
  check("without-descriptors", {});
}

TEST_F(ClientLimits, WithoutMemoryClientsSaySoAndOthersGoOn) {
  start();
  if (sanitized()) GTEST_SKIP() << "sanitizers take address space without bound";
  check("without-memory", {});
}

TEST_F(ClientLimits, WithoutAByteOfMemoryAProducerMeetsTheNextBrokerLater) {
  if (sanitized()) GTEST_SKIP() << "sanitizers take address space without bound";
  start();
  ChildProcess helper = start_helper("without-a-byte", {});
  page_->wait_for(kReadyWord, 1);
  broker_->kill9();
  start();
  (*page_)[kGoWord].store(1);
  EXPECT_EQ(helper.wait(), 0) << helper_output();
}

TEST_F(ClientLimits, WithoutASystemCallThatIsOnlyAHelpAllGoesOn) {
  start();
  for (const long call : {SYS_madvise, SYS_sched_getaffinity, SYS_memfd_create, SYS_membarrier, SYS_pidfd_open}) {
    for (const int error : {ENOSYS, EPERM}) {
      SCOPED_TRACE(std::to_string(call) + " answered " + std::to_string(error));
      check("without-call", {"call=" + std::to_string(call), "errno=" + std::to_string(error)});
    }
  }
}

}  // namespace
}  // namespace leat::test
