// A share for each user, so that none who is let in locks the others out.
#pragma once

#include <cstdint>
#include <string>

#include <leat/result.h>

#include "broker/control/admission.h"

namespace leat::broker {

class CursorTable;
class Roster;
class RuntimeFiles;

/// Control thread only. Errors: busy, naming what the user has, the share and what to do.
class UserShares {
 public:
  /// All outlive this; `admission` says how large a share is at the time.
  UserShares(const Admission& admission, const RuntimeFiles& files, const Roster& roster, const CursorTable& cursors)
      : admission_(admission), files_(files), roster_(roster), cursors_(cursors) {}

  /// Another producer slot, and an arena of `arena_bytes`.
  Result<void> check_producer(const Peer& peer, std::uint64_t arena_bytes) const;
  /// Another consumer slot.
  Result<void> check_consumer(const Peer& peer) const;
  /// Another named cursor.
  Result<void> check_cursor(const Peer& peer) const;

 private:
  [[nodiscard]] Error over_share(const Peer& peer, std::uint64_t has, const std::string& what, std::uint64_t share,
                                 const std::string& remedy) const;

  const Admission& admission_;
  const RuntimeFiles& files_;
  const Roster& roster_;
  const CursorTable& cursors_;
};

}  // namespace leat::broker
