// A peer's server, for the length of a measurement.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace leat::bench {

/// Stopped, and waited for, by its destructor.
class Daemon {
 public:
  Daemon() = default;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() { stop(); }

  /// Its output goes to `log`. Returns when `ready` says so; throws std::runtime_error if that takes over ten seconds
  /// or the program ends before.
  void start(const std::vector<std::string>& words, const std::string& log, const std::function<bool()>& ready);
  void stop();

 private:
  pid_t pid_ = -1;
};

/// Where `program` lies, looked up in PATH and the system's directories; empty if nowhere.
std::string find_program(const std::string& program);

/// Whether someone accepts connections there.
bool accepts_unix(const std::string& path);
bool accepts_tcp(unsigned port);
unsigned free_tcp_port();

}  // namespace leat::bench
