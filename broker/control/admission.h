// Who may do what: the feed's rules, applied to what the kernel says of the peer.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include <leat/result.h>

#include "broker/peer.h"
#include "shm/control/control_layout.h"

namespace leat::broker {

/// Immutable after parse(). The broker's own user and root may always do everything.
class Admission {
 public:
  /// Rules are "user:NAME", "group:NAME", "uid:N", "gid:N" or "any". Error: invalid_argument, naming the rule.
  static Result<Admission> parse(const std::vector<std::string>& publish, const std::vector<std::string>& subscribe);

  /// How much of `total` of anything one user may have, so that none locks the others out: at least 1, and all of it
  /// for the broker's own user and root.
  [[nodiscard]] std::uint64_t share_of(uid_t uid, std::uint64_t total) const noexcept;
  void set_user_share(std::uint32_t percent) noexcept { user_share_ = percent; }
  [[nodiscard]] std::uint32_t user_share() const noexcept { return user_share_; }

  /// Error: permission_denied, naming the user, the role and the option that would admit it.
  Result<void> check(const Peer& peer, internal::Role role) const;
  /// True if anybody but the broker's own user may come in: the socket must then be reachable for others.
  [[nodiscard]] bool admits_others() const noexcept;
  [[nodiscard]] mode_t socket_mode() const noexcept { return admits_others() ? 0666 : 0600; }

 private:
  struct Rule {
    enum class Kind { any, user, group } kind = Kind::any;
    std::uint32_t id = 0;
    std::string text;  // as it was given
  };
  static Result<std::vector<Rule>> parse_rules(const std::vector<std::string>& rules, const char* option);
  static bool matches(const std::vector<Rule>& rules, const Peer& peer);

  std::uint32_t user_share_ = 100;
  std::vector<Rule> publish_;
  std::vector<Rule> subscribe_;
};

}  // namespace leat::broker
