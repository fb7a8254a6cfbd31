#include "broker/start_trace.h"

#include <sys/stat.h>
#include <unistd.h>

namespace leat::broker {

void StartTrace::made_directory(const std::filesystem::path& path) {
  did([path] { ::rmdir(path.c_str()); });
}

void StartTrace::made_file(const std::filesystem::path& path) {
  did([path] { ::unlink(path.c_str()); });
}

void StartTrace::changed_mode(const std::filesystem::path& path, mode_t before) {
  did([path, before] { ::chmod(path.c_str(), before); });
}

void StartTrace::take_back() {
  while (!undo_.empty()) {
    const auto undo = std::move(undo_.back());
    undo_.pop_back();
    undo();
  }
}

}  // namespace leat::broker
