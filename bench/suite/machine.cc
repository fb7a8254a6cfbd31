#include "machine.h"

#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <thread>

namespace leat::bench {
namespace {

std::string first_line(const std::string& path, const std::string& otherwise) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) && !line.empty() ? line : otherwise;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

std::string file_system(const std::string& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) return "unknown";
  switch (static_cast<unsigned long>(status.f_type)) {
    case 0xEF53: return "ext4";
    case 0x58465342: return "xfs";
    case 0x9123683E: return "btrfs";
    case 0x01021994: return "tmpfs";
    case 0x794c7630: return "overlayfs";
    default: return "type " + std::to_string(status.f_type);
  }
}

}  // namespace

nlohmann::json describe_machine(const std::string& scratch) {
  struct utsname name {};
  ::uname(&name);
  struct sysinfo memory {};
  ::sysinfo(&memory);
  return {{"cpu", cpu_model()},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes", static_cast<std::uint64_t>(memory.totalram) * memory.mem_unit},
          {"kernel", std::string(name.sysname) + " " + name.release},
          {"governor",
           first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown (virtual machine?)")},
          {"file_system", file_system(scratch)},
          {"compiler", LEAT_BENCH_COMPILER},
          {"flags", LEAT_BENCH_FLAGS},
          {"date", utc_now()}};
}

}  // namespace leat::bench
