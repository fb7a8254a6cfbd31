// A helper that, as another user, tries everything it should not be able to do. It ends with 1, naming what it could.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "client-lib/connect/connection.h"
#include "support/helper_main.h"
#include "shm/shared_file.h"

namespace leat::test {
namespace {

using namespace internal;

class Attempts {
 public:
  void refused(const std::string& what, bool possible) {
    ++count_;
    if (possible) {
      ++possible_;
      std::fprintf(stderr, "%s: POSSIBLE\n", what.c_str());
    }
  }
  void open(const std::string& path) {
    for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_DIRECTORY}) {
      const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK));
      refused("open " + path + " flags " + std::to_string(flags), fd.valid());
    }
    refused("unlink " + path, ::unlink(path.c_str()) == 0);
    refused("rename " + path, ::rename(path.c_str(), (path + ".moved").c_str()) == 0);
    refused("chmod " + path, ::chmod(path.c_str(), 0777) == 0);
    refused("link " + path, ::link(path.c_str(), "/tmp/leat-intruder-link") == 0);
  }
  void create_in(const std::string& directory) {
    const UniqueFd fd(::open((directory + "/intruder").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    refused("creating a file in " + directory, fd.valid());
    refused("making a directory in " + directory, ::mkdir((directory + "/intruder.d").c_str(), 0700) == 0);
  }
  // A descriptor that was passed for reading only.
  void read_only(const std::string& what, int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return refused("fstat of " + what, true);
    const auto bytes = static_cast<std::size_t>(status.st_size);
    if (S_ISREG(status.st_mode)) {
      void* const writable = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      refused("mapping " + what + " writable", writable != MAP_FAILED);
      void* const readable = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
      if (readable == MAP_FAILED) return refused("mapping " + what + " at all failed, which", true);
      refused("mprotect of " + what, ::mprotect(readable, bytes, PROT_READ | PROT_WRITE) == 0);
      const std::string word(8, 'x');
      refused("write to " + what, ::pwrite(fd, word.data(), word.size(), 0) >= 0);
      refused("cutting " + what, ::ftruncate(fd, 0) == 0);
      refused("allocating in " + what, ::fallocate(fd, 0, 0, static_cast<off_t>(bytes) + 4096) == 0);
      refused("punching a hole in " + what, ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
    }
    const std::string again = "/proc/self/fd/" + std::to_string(fd);
    for (const int flags : {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC}) {
      const UniqueFd reopened(::open(again.c_str(), flags | O_CLOEXEC));
      refused("reopening " + what + " for writing", reopened.valid());
    }
    refused("fchmod of " + what, ::fchmod(fd, 0666) == 0);
    (void)::fcntl(fd, F_SETFL, O_RDWR);
    refused("fcntl(F_SETFL) of " + what, (::fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY);
    const int sealed = ::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
    refused("sealing " + what, sealed == 0);
  }
  [[nodiscard]] int result(const char* who) const {
    std::fprintf(stderr, "%s: %d attempts, %d possible\n", who, count_, possible_);
    return possible_ == 0 ? 0 : 1;
  }

 private:
  int count_ = 0;
  int possible_ = 0;
};

void attack_files(Attempts& attempts, const std::string& runtime, const std::string& journal) {
  for (const char* name : {"", "/control.sock", "/shm", "/shm/lock", "/shm/inbound", "/shm/registry", "/shm/broadcast",
                           "/shm/doorbell", "/shm/status", "/shm/arena-0-1"}) {
    attempts.open(runtime + name);
  }
  for (const char* name :
       {"", "/feed", "/lock", "/cursors", "/00000000000000000001-00000000000000000000.seg", "/prepared-1.tmp"}) {
    attempts.open(journal + name);
  }
  for (const std::string& directory : {runtime, runtime + "/shm", journal}) attempts.create_in(directory);
}

void attack_process(Attempts& attempts, pid_t broker) {
  const std::string proc = "/proc/" + std::to_string(broker);
  for (const char* name : {"/mem", "/fd", "/map_files", "/maps", "/environ", "/cwd/."}) {
    const UniqueFd fd(::open((proc + name).c_str(), O_RDONLY | O_CLOEXEC));
    attempts.refused("open " + proc + name, fd.valid());
  }
  for (int fd = 0; fd < 32; ++fd) {
    const UniqueFd stolen(::open((proc + "/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC));
    attempts.refused("open descriptor " + std::to_string(fd) + " of the broker", stolen.valid());
  }
  attempts.refused("ptrace", ::ptrace(PTRACE_ATTACH, broker, nullptr, nullptr) == 0);
  attempts.refused("kill", ::kill(broker, SIGUSR1) == 0);
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, broker, 0)));
  attempts.refused("pidfd_getfd", pidfd.valid() && ::syscall(SYS_pidfd_getfd, pidfd.get(), 3, 0) >= 0);
}

// consumes=1: is let in as a consumer, and attacks what it is given.
int run_intruder(const HelperArguments& arguments) {
  Attempts attempts;
  const std::string runtime = arguments.text("runtime") + "/" + arguments.text("feed");
  const std::string journal = arguments.text("data") + "/" + arguments.text("feed");
  attack_files(attempts, runtime, journal);
  attack_process(attempts, static_cast<pid_t>(arguments.number("broker")));
  const auto as = [&](Role role) {
    return client::connect_to_broker({.address = arguments.address(), .role = role, .name = "intruder"});
  };
  attempts.refused("publishing", as(Role::producer).ok());
  auto consumer = as(Role::consumer);
  auto observer = as(Role::observer);
  if (arguments.number("consumes") == 0) {
    attempts.refused("subscribing", consumer.ok());
    attempts.refused("observing", observer.ok());
    return attempts.result("intruder");
  }
  if (!consumer || !observer) return 2;
  attempts.read_only("the broadcast ring", consumer->fds.at(0).get());
  const int directory = consumer->fds.at(2).get();
  attempts.read_only("the journal's directory", directory);
  for (const char* name : {"feed", "cursors", "lock", "..", "../.."}) {
    const UniqueFd fd(::openat(directory, name, O_RDONLY | O_CLOEXEC));
    attempts.refused(std::string("openat of ") + name + " in the journal's directory", fd.valid());
  }
  const UniqueFd made(::openat(directory, "intruder", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  attempts.refused("creating a file in the journal's directory", made.valid());
  attempts.refused("unlinkat in the journal's directory", ::unlinkat(directory, "feed", 0) == 0);
  attempts.refused("renameat in the journal's directory", ::renameat(directory, "feed", directory, "gone") == 0);
  for (const char* what : {"the broadcast ring", "the doorbell", "the status page"}) {
    const std::size_t index = what[4] == 'b' ? 0 : what[4] == 'd' ? 1 : 2;
    attempts.read_only(std::string("an observer's ") + what, observer->fds.at(index).get());
  }
  // Files that the broker opens for one who may not: only those, and only to be read.
  for (const char* name :
       {"feed", "00000000000000000001-00000000000000000000.seg", "cursors", "lock", "../feed", "/etc/shadow", ""}) {
    OpenFileMessage ask{};
    ask.header = make_header(MessageType::open_file, sizeof ask);
    std::strncpy(ask.name, name, sizeof ask.name - 1);
    auto own = as(Role::consumer);  // a name that makes no sense ends the connection
    if (!own) return 2;
    (void)send_message(own->socket.get(), &ask, sizeof ask).ok();
    Received answer;
    (void)receive_message(own->socket.get(), answer, 5000).ok();
    const bool allowed = std::strcmp(name, "feed") == 0 || std::strstr(name, ".seg") != nullptr;
    if (!allowed) attempts.refused(std::string("being given ") + name, answer.fd_count > 0);
    else if (answer.fd_count == 1) attempts.read_only(name, answer.fds[0].get());
    else attempts.refused(std::string("not being given ") + name, true);
  }
  return attempts.result("intruder");
}
const HelperRegistration kIntruder("intruder", &run_intruder);

}  // namespace
}  // namespace leat::test
