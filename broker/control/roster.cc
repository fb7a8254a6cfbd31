#include "broker/control/roster.h"

#include <algorithm>

#include "base/check.h"
#include "broker/control/consumer_session.h"
#include "broker/control/observer_session.h"
#include "broker/control/producer_session.h"

namespace leat::broker {

void Roster::enter(ProducerSession& session) { producers_.push_back(&session); }

void Roster::leave(ProducerSession& session) {
  const auto erased = std::erase(producers_, &session);
  LEAT_ASSERT(erased == 1);
}

void Roster::enter(ObserverSession& session) { observers_.push_back(&session); }

void Roster::leave(ObserverSession& session) {
  const auto erased = std::erase(observers_, &session);
  LEAT_ASSERT(erased == 1);
}

void Roster::enter(ConsumerSession& session, std::uint32_t slot) {
  LEAT_ASSERT(slot < consumers_.size() && consumers_[slot] == nullptr);
  consumers_[slot] = &session;
}

void Roster::leave(ConsumerSession& session, std::uint32_t slot) {
  LEAT_ASSERT(slot < consumers_.size() && consumers_[slot] == &session);
  consumers_[slot] = nullptr;
}

std::optional<std::uint32_t> Roster::free_consumer_slot() const {
  const auto found = std::ranges::find(consumers_, nullptr);
  if (found == consumers_.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - consumers_.begin());
}

std::uint64_t Roster::count_consumers() const {
  return consumers_.size() - static_cast<std::uint64_t>(std::ranges::count(consumers_, nullptr));
}

std::uint64_t Roster::count_consumers_of(uid_t uid) const {
  return static_cast<std::uint64_t>(std::ranges::count_if(consumers_, [uid](const ConsumerSession* session) {
    return session != nullptr && session->connection().peer.uid == uid;
  }));
}

std::uint64_t Roster::count_observers_of(uid_t uid) const {
  return static_cast<std::uint64_t>(std::ranges::count_if(observers_, [uid](const ObserverSession* session) {
    return session->connection().peer.uid == uid;
  }));
}

const ConsumerSession* Roster::find_holder_of(const std::string& cursor) const {
  const auto found = std::ranges::find_if(consumers_, [&](const ConsumerSession* session) {
    return session != nullptr && session->cursor() == cursor;
  });
  return found == consumers_.end() ? nullptr : *found;
}

}  // namespace leat::broker
