#include "broker/storage/cursor_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "broker/log.h"
#include "broker/user_share.h"
#include "base/clock.h"

namespace leat::broker {

using namespace internal;

Result<void> CursorTable::load() {
  auto loaded = load_cursors(directory_, uuid_);
  if (!loaded) return loaded.error();
  const std::lock_guard lock(mutex_);
  for (const CursorEntry& entry : *loaded) {
    cursors_.emplace(cursor_name(entry), entry);
    on_disk_.emplace(cursor_name(entry), entry.sequence);
  }
  holds_have_changed();
  remember_file();
  return {};
}

void CursorTable::remember_file() {
  if (::fstatat(directory_.fd, std::string(kCursorsFileName).c_str(), &file_, AT_SYMLINK_NOFOLLOW) != 0) file_ = {};
}

// The broker's table is the one that counts; the file is where it stands after the broker's end.
void CursorTable::look_at_file() {
  const std::lock_guard lock(mutex_);
  if (file_.st_ino == 0 || changed_) return;
  struct stat now {};
  const bool there = ::fstatat(directory_.fd, std::string(kCursorsFileName).c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0;
  if (!there && errno != ENOENT) return;
  if (there && now.st_ino == file_.st_ino && now.st_size == file_.st_size &&
      now.st_ctim.tv_sec == file_.st_ctim.tv_sec && now.st_ctim.tv_nsec == file_.st_ctim.tv_nsec) {
    return;
  }
  log::warn("{}/{} was {} while the feed was served: it is written again", directory_.path, kCursorsFileName,
            there ? "changed" : "removed");
  changed_ = true;
}

Result<void> CursorTable::check_owner(const std::string& name, std::uint32_t uid) const {
  const auto found = cursors_.find(name);
  if (found == cursors_.end() || found->second.uid == uid || uid == ::geteuid()) return {};
  return Error{ErrorCode::permission_denied,
               "cursor '" + name + "' belongs to user " + std::to_string(found->second.uid), "choose another name"};
}

Result<bool> CursorTable::find(const std::string& name, std::uint32_t uid, Cursor& out) const {
  const std::lock_guard lock(mutex_);
  if (auto allowed = check_owner(name, uid); !allowed) return allowed.error();
  const auto found = cursors_.find(name);
  if (found == cursors_.end()) return false;
  out = {.epoch = found->second.epoch, .sequence = found->second.sequence};
  return true;
}

Result<void> CursorTable::save(const std::string& name, std::uint32_t uid, const Cursor& place) {
  const std::lock_guard lock(mutex_);
  if (auto allowed = check_owner(name, uid); !allowed) return allowed;
  if (!cursors_.contains(name) && cursors_.size() >= kMaxCursors) {
    return Error{ErrorCode::no_space, "the feed holds " + std::to_string(kMaxCursors) + " named cursors already",
                 "drop one: leat cursors --drop NAME"};
  }
  const auto [found, is_new] = cursors_.try_emplace(name, CursorEntry{});
  CursorEntry& entry = found->second;
  if (is_new) entry.uid = uid;
  const std::uint64_t held_before = is_new ? 0 : held_from(name, entry);
  std::memcpy(entry.name, name.data(), std::min(name.size(), sizeof entry.name - 1));
  entry.epoch = place.epoch;
  entry.sequence = place.sequence;
  entry.saved_ns = realtime_ns();
  on_disk_.try_emplace(name, place.sequence);
  if (is_new || held_from(name, entry) != held_before) holds_have_changed();  // it mostly waits for flush()
  changed_ = true;
  return {};
}

Result<void> CursorTable::drop(const std::string& name, std::uint32_t uid) {
  const std::lock_guard lock(mutex_);
  if (auto allowed = check_owner(name, uid); !allowed) return allowed;
  changed_ |= cursors_.erase(name) > 0;
  on_disk_.erase(name);
  holds_have_changed();
  return {};
}

std::uint64_t CursorTable::count_of(std::uint32_t uid) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint64_t>(
      std::ranges::count_if(cursors_, [&](const auto& entry) { return entry.second.uid == uid; }));
}

Result<void> CursorTable::flush() {
  std::vector<CursorEntry> entries;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_) return {};
    for (const auto& [name, entry] : cursors_) entries.push_back(entry);
    changed_ = false;
  }
  auto stored = store_cursors(directory_, uuid_, entries);
  const std::lock_guard lock(mutex_);
  if (!stored) {
    changed_ = true;
    return stored;
  }
  remember_file();
  for (const CursorEntry& entry : entries) {
    const auto found = on_disk_.find(cursor_name(entry));  // it may have been dropped meanwhile
    if (found != on_disk_.end()) found->second = entry.sequence;
  }
  holds_have_changed();
  return {};
}

void CursorTable::set_user_share(std::uint32_t percent) {
  const std::lock_guard lock(mutex_);
  user_share_.store(percent, std::memory_order_relaxed);
  holds_have_changed();
}

// The last event that its consumer is done with, wherever it goes on: here, or after a death.
std::uint64_t CursorTable::held_from(const std::string& name, const CursorEntry& entry) const {
  return std::min(entry.sequence, on_disk_.at(name));
}

std::vector<CursorHold> CursorTable::holds(std::uint64_t hold_bytes) const {
  const std::lock_guard lock(mutex_);
  std::map<std::uint32_t, CursorHold> of_users;
  for (const auto& [name, entry] : cursors_) {
    CursorHold& hold = of_users[entry.uid];
    const std::uint64_t next = held_from(name, entry) + 1;
    if (hold.name.empty() || next < hold.next_sequence) {
      hold = {.name = name,
              .uid = entry.uid,
              .next_sequence = next,
              .most_bytes = user_share_of(entry.uid, hold_bytes, user_share())};
    }
  }
  std::vector<CursorHold> holds;
  holds.reserve(of_users.size());
  for (auto& [uid, hold] : of_users) holds.push_back(std::move(hold));
  std::ranges::stable_sort(holds, {}, &CursorHold::next_sequence);
  return holds;
}

}  // namespace leat::broker
