#include "broker/control/admission.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/users.h"
#include "broker/user_share.h"

namespace leat::broker {

using internal::Role;

namespace {

std::optional<std::uint32_t> parse_id(const std::string& text) {
  std::uint32_t id = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return id;
}

}  // namespace

Result<std::vector<Admission::Rule>> Admission::parse_rules(const std::vector<std::string>& rules, const char* option) {
  std::vector<Rule> parsed;
  for (const std::string& rule : rules) {
    const auto bad = [&](const std::string& why) {
      return Error{ErrorCode::invalid_argument, std::string(option) + " " + rule + ": " + why,
                   "use user:NAME, group:NAME, uid:N, gid:N or any"};
    };
    const std::size_t colon = rule.find(':');
    const std::string kind = rule.substr(0, colon);
    const std::string name = colon == std::string::npos ? "" : rule.substr(colon + 1);
    if (rule == "any") {
      parsed.push_back({.kind = Rule::Kind::any, .id = 0, .text = rule});
    } else if (kind == "user") {
      const auto user = internal::find_user(name);
      if (!user) return user.error().in(std::string(option) + " " + rule);
      if (!*user) return bad("no such user");
      parsed.push_back({.kind = Rule::Kind::user, .id = **user, .text = rule});
    } else if (kind == "group") {
      const auto group = internal::find_group(name);
      if (!group) return group.error().in(std::string(option) + " " + rule);
      if (!*group) return bad("no such group");
      parsed.push_back({.kind = Rule::Kind::group, .id = **group, .text = rule});
    } else if (kind == "uid" || kind == "gid") {
      const auto id = parse_id(name);
      if (!id) return bad("not a number");
      parsed.push_back({.kind = kind == "uid" ? Rule::Kind::user : Rule::Kind::group, .id = *id, .text = rule});
    } else {
      return bad("unknown kind of rule");
    }
  }
  return parsed;
}

Result<Admission> Admission::parse(const std::vector<std::string>& publish, const std::vector<std::string>& subscribe) {
  Admission admission;
  auto rules = parse_rules(publish, "--allow-publish");
  if (!rules) return rules.error();
  admission.publish_ = std::move(*rules);
  rules = parse_rules(subscribe, "--allow-subscribe");
  if (!rules) return rules.error();
  admission.subscribe_ = std::move(*rules);
  return admission;
}

bool Admission::matches(const std::vector<Rule>& rules, const Peer& peer) {
  return std::ranges::any_of(rules, [&](const Rule& rule) {
    switch (rule.kind) {
      case Rule::Kind::any: return true;
      case Rule::Kind::user: return rule.id == peer.uid;
      case Rule::Kind::group: return std::ranges::find(peer.groups, rule.id) != peer.groups.end();
    }
    return false;
  });
}

std::uint64_t Admission::share_of(uid_t uid, std::uint64_t total) const noexcept {
  return user_share_of(uid, total, user_share_);
}

Result<void> Admission::check(const Peer& peer, Role role) const {
  if (peer.uid == ::geteuid() || peer.uid == 0) return {};
  const bool publishes = role == Role::producer;
  const std::vector<Rule>& rules = publishes ? publish_ : subscribe_;
  if (matches(rules, peer)) return {};
  const std::string option = publishes ? "--allow-publish" : "--allow-subscribe";
  std::string given;
  for (const Rule& rule : rules) given += " " + rule.text;
  return Error{ErrorCode::permission_denied,
               "user " + std::to_string(peer.uid) + " may not " + (publishes ? "publish to" : "subscribe to") +
                   " this feed (" +
                   (rules.empty() ? "there is no rule of " + option : option + given + " does not admit it") +
                   ", its pid is " + std::to_string(peer.pid) + ")",
               "run as user " + std::to_string(::geteuid()) + ", or start leatd with " + option +
                   " uid:" + std::to_string(peer.uid)};
}

bool Admission::admits_others() const noexcept { return !publish_.empty() || !subscribe_.empty(); }

}  // namespace leat::broker
