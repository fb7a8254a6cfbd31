// What observers see of the clients: the rows of the status page, and how many clients there are.
#pragma once

#include <cstdint>

namespace leat::broker {

class ProducerSession;
class ProducerTable;
class Roster;
class RuntimeFiles;
struct Connection;

/// Control thread only.
class StatusRows {
 public:
  StatusRows(RuntimeFiles& files, const ProducerTable& table) : files_(files), table_(table) {}

  void show_consumer(std::uint32_t slot, const Connection& connection);
  void clear_consumer(std::uint32_t slot);
  void clear_producer(std::uint32_t slot);
  /// Brings up to date what changes without the control thread: the rows of producers, for whoever asks now.
  void refresh(const Roster& roster);
  /// One more client was refused, or lost its connection for what it sent.
  void count_refusal();

 private:
  void refresh_producer(const ProducerSession& session);

  RuntimeFiles& files_;
  const ProducerTable& table_;
};

}  // namespace leat::broker
