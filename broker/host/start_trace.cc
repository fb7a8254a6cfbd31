#include "broker/host/start_trace.h"

#include <unistd.h>

namespace leat::broker {

namespace {

StartTrace* g_current = nullptr;

}  // namespace

StartTrace::StartTrace() { g_current = this; }

StartTrace::~StartTrace() {
  g_current = nullptr;
  take_back();
}

void StartTrace::made_directory(const std::filesystem::path& path) {
  if (g_current != nullptr) g_current->did([path] { ::rmdir(path.c_str()); });
}

void StartTrace::made_file(const std::filesystem::path& path) {
  if (g_current != nullptr) g_current->did([path] { ::unlink(path.c_str()); });
}

void StartTrace::take_back() {
  while (!undo_.empty()) {
    const auto undo = std::move(undo_.back());
    undo_.pop_back();
    undo();
  }
}

}  // namespace leat::broker
