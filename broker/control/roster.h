// Who has been let in, by role: sessions enter it when they begin, and leave it when they end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace leat::broker {

class ConsumerSession;
class ObserverSession;
class ProducerSession;

/// Control thread only.
class Roster {
 public:
  explicit Roster(std::uint32_t consumer_slots) : consumers_(consumer_slots, nullptr) {}

  void enter(ProducerSession& session);
  void leave(ProducerSession& session);
  void enter(ObserverSession& session);
  void leave(ObserverSession& session);
  /// `slot` is free.
  void enter(ConsumerSession& session, std::uint32_t slot);
  void leave(ConsumerSession& session, std::uint32_t slot);

  [[nodiscard]] const std::vector<ProducerSession*>& producers() const { return producers_; }
  /// By slot; null: free.
  [[nodiscard]] const std::vector<ConsumerSession*>& consumers() const { return consumers_; }
  [[nodiscard]] std::optional<std::uint32_t> free_consumer_slot() const;
  [[nodiscard]] std::uint64_t count_consumers() const;

  [[nodiscard]] std::uint64_t count_consumers_of(uid_t uid) const;
  [[nodiscard]] std::uint64_t count_observers_of(uid_t uid) const;
  /// Null: nobody.
  [[nodiscard]] const ConsumerSession* find_holder_of(const std::string& cursor) const;

 private:
  std::vector<ProducerSession*> producers_;
  std::vector<ConsumerSession*> consumers_;
  std::vector<ObserverSession*> observers_;
};

}  // namespace leat::broker
