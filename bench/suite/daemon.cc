#include "daemon.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "clock.h"

extern char** environ;

namespace leat::bench {
namespace {

constexpr std::int64_t kPatience_ns = 10'000'000'000;
constexpr useconds_t kLook_us = 10'000;

bool accepts(int family, const sockaddr* address, socklen_t bytes) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = fd >= 0 && ::connect(fd, address, bytes) == 0;
  if (fd >= 0) ::close(fd);
  return connected;
}

sockaddr_in loopback(unsigned port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

void Daemon::start(const std::vector<std::string>& words, const std::string& log, const std::function<bool()>& ready) {
  std::vector<std::string> copies = words;
  std::vector<char*> arguments;
  for (std::string& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  const int failed = ::posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    pid_ = -1;
    throw std::runtime_error("starting " + words[0] + ": " + std::strerror(failed));
  }
  const std::int64_t deadline = now_ns() + kPatience_ns;
  while (!ready()) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error(words[0] + " ended at once; its words are in " + log);
    }
    if (now_ns() > deadline) throw std::runtime_error(words[0] + " is not ready after 10 s; its words are in " + log);
    ::usleep(kLook_us);
  }
}

void Daemon::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  const std::int64_t deadline = now_ns() + kPatience_ns;
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (now_ns() > deadline) ::kill(pid_, SIGKILL);
    ::usleep(kLook_us);
  }
  pid_ = -1;
}

std::string find_program(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::stringstream directories(std::string(path != nullptr ? path : "") + ":/usr/sbin:/usr/local/sbin:/sbin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string candidate = directory + "/" + program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

bool accepts_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("too long for a socket: " + path);
  path.copy(address.sun_path, path.size());
  return accepts(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

bool accepts_tcp(unsigned port) {
  const sockaddr_in address = loopback(port);
  return accepts(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

unsigned free_tcp_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t bytes = sizeof address;
  const bool bound = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), bytes) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) == 0;
  if (fd >= 0) ::close(fd);
  if (!bound) throw std::runtime_error("no free TCP port on the loopback interface");
  return ntohs(address.sin_port);
}

}  // namespace leat::bench
