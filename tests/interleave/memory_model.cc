#include "tests/interleave/memory_model.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace leat::sim {

namespace {

constexpr std::size_t kPage = 4096;

bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst || order == std::memory_order_consume;
}
bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}

std::uint64_t apply(Update how, std::uint64_t value, std::uint64_t operand) {
  switch (how) {
    case Update::exchange: return operand;
    case Update::add: return value + operand;
    case Update::bit_or: return value | operand;
    case Update::bit_and: return value & operand;
  }
  return value;
}

std::uint64_t truncate(std::uint64_t value, unsigned bytes) { return bytes == 8 ? value : value & 0xffffffffULL; }

}  // namespace

Memory::Memory(std::size_t bytes)
    : size_((bytes + kPage - 1) / kPage * kPage),
      bytes_(static_cast<std::byte*>(std::aligned_alloc(kPage, size_))),
      loci_(size_ / 4),
      messages_(kMaxLocations) {
  LEAT_ASSERT(bytes_ != nullptr);
}

void Memory::reset(Removed removed) {
  std::memset(bytes_.get(), 0, size_);
  for (const std::size_t slot : used_) {
    messages_[loci_[slot]].clear();
    loci_[slot] = 0;
  }
  used_.clear();
  locus_count_ = 1;
  for (Thread& thread : threads_) {
    thread.view.fill(0);
    thread.pending.fill(0);
    thread.release_view = thread.last_pending = kNoView;
  }
  global_.fill(0);
  view_count_ = 0;
  mirrors_.clear();
  removed_ = removed;
  stale_one_in_ = stale_loads_ = 0;
}

void Memory::add_mirror(std::size_t offset, std::size_t capacity, int plain_writer) {
  LEAT_ASSERT(offset % 8 == 0 && capacity % 8 == 0 && offset + 2 * capacity <= size_);
  Mirror mirror{.offset = offset, .capacity = capacity, .plain_writer = plain_writer, .shadow = {}};
  if (plain_writer >= 0) mirror.shadow.assign(capacity, std::byte{0});
  mirrors_.push_back(std::move(mirror));
}

std::size_t Memory::canonical(const void* at) const noexcept {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(at) - bytes_.get());
  for (const Mirror& mirror : mirrors_) {
    if (offset >= mirror.offset + mirror.capacity && offset < mirror.offset + 2 * mirror.capacity) {
      return offset - mirror.capacity;
    }
  }
  return offset;
}

std::uint64_t Memory::newest(const void* at, unsigned bytes) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, at, bytes);
  return value;
}

// A location's first value is what lies there when it is first touched.
Memory::Locus Memory::locus(std::size_t offset, unsigned bytes) {
  Locus& found = loci_[offset / 4];
  if (found != 0) return found;
  LEAT_ASSERT(locus_count_ < kMaxLocations);
  found = static_cast<Locus>(locus_count_++);
  used_.push_back(offset / 4);
  messages_[found].push_back({newest(bytes_.get() + offset, bytes), kNoView});
  return found;
}

void Memory::write_through(std::size_t offset, unsigned bytes, std::uint64_t value) {
  std::memcpy(bytes_.get() + offset, &value, bytes);
  for (Mirror& mirror : mirrors_) {
    if (offset < mirror.offset || offset >= mirror.offset + mirror.capacity) continue;
    std::memcpy(bytes_.get() + offset + mirror.capacity, &value, bytes);
    if (!mirror.shadow.empty()) std::memcpy(mirror.shadow.data() + (offset - mirror.offset), &value, bytes);
  }
}

void Memory::collect_plain_stores(int thread) {
  for (Mirror& mirror : mirrors_) {
    if (mirror.plain_writer != thread) continue;
    std::byte* const lower = bytes_.get() + mirror.offset;
    std::byte* const upper = lower + mirror.capacity;
    std::byte* const shadow = mirror.shadow.data();
    if (std::memcmp(lower, shadow, mirror.capacity) == 0 && std::memcmp(upper, shadow, mirror.capacity) == 0) continue;
    for (std::size_t at = 0; at < mirror.capacity; at += 8) {
      const std::uint64_t before = newest(shadow + at, 8);
      std::uint64_t now = newest(upper + at, 8);
      if (now == before) now = newest(lower + at, 8);
      if (now == before) continue;
      std::memcpy(lower + at, &before, 8);  // so that the location begins with it
      const Locus where = locus(mirror.offset + at, 8);
      Thread& by = threads_[static_cast<std::size_t>(thread)];
      messages_[where].push_back({now, by.release_view});  // behind its last release fence, as a relaxed store is
      by.view[where] = static_cast<Stamp>(messages_[where].size() - 1);
      write_through(mirror.offset + at, 8, now);
    }
  }
}

std::memory_order Memory::effective(std::memory_order order, bool is_load, bool is_store) const noexcept {
  const bool swap = is_load && is_store;
  switch (removed_) {
    case Removed::seq_cst_order:
      if (order == std::memory_order_seq_cst) {
        return swap ? std::memory_order_acq_rel : is_load ? std::memory_order_acquire : std::memory_order_release;
      }
      return order;
    case Removed::release_stores: return order == std::memory_order_release ? std::memory_order_relaxed : order;
    case Removed::acquire_loads: return order == std::memory_order_acquire ? std::memory_order_relaxed : order;
    case Removed::swap_release: return swap ? std::memory_order_relaxed : order;
    default: return order;
  }
}

int Memory::snapshot(const View& view) {
  if (view_count_ == views_.size()) views_.push_back(std::make_unique<View>());
  std::copy_n(view.begin(), locus_count_, views_[view_count_]->begin());
  // Locations that are first touched later begin unseen.
  std::fill(views_[view_count_]->begin() + static_cast<std::ptrdiff_t>(locus_count_), views_[view_count_]->end(), 0);
  return static_cast<int>(view_count_++);
}

void Memory::join(View& into, const View& from) const noexcept {
  for (std::size_t i = 0; i < locus_count_; ++i) into[i] = std::max(into[i], from[i]);
}

void Memory::see(Thread& by, int view, std::memory_order order) {
  if (view == kNoView) return;
  const View& sent = *views_[static_cast<std::size_t>(view)];
  if (acquires(order)) {
    join(by.view, sent);
  } else if (by.last_pending != view) {
    join(by.pending, sent);
    by.last_pending = view;
  }
}

void Memory::append(Thread& by, Locus where, std::uint64_t value, std::memory_order order, int previous_view) {
  auto& history = messages_[where];
  LEAT_ASSERT(history.size() < 0xffff);
  const auto stamp = static_cast<Stamp>(history.size());
  by.view[where] = stamp;
  int view = by.release_view;
  if (releases(order)) view = snapshot(by.view);
  if (previous_view != kNoView && previous_view != view) {  // a release sequence goes on through a swap
    if (view == kNoView) {
      view = previous_view;
    } else {
      View both = *views_[static_cast<std::size_t>(view)];
      join(both, *views_[static_cast<std::size_t>(previous_view)]);
      view = snapshot(both);
    }
  }
  history.push_back({value, view});
  if (order == std::memory_order_seq_cst) global_[where] = stamp;
}

std::size_t Memory::pick(const Thread& by, Locus where, std::memory_order order, Random& random) {
  const std::size_t latest = messages_[where].size() - 1;
  std::size_t oldest = by.view[where];
  if (order == std::memory_order_seq_cst) oldest = std::max<std::size_t>(oldest, global_[where]);
  if (oldest >= latest || !random.once_in(stale_one_in_)) return latest;
  ++stale_loads_;
  return random.between(oldest, latest);
}

std::uint64_t Memory::load(int thread, const void* at, unsigned bytes, std::memory_order order, Random& random) {
  order = effective(order, true, false);
  Thread& by = threads_[static_cast<std::size_t>(thread)];
  const Locus where = locus(canonical(at), bytes);
  const std::size_t stamp = pick(by, where, order, random);
  by.view[where] = std::max(by.view[where], static_cast<Stamp>(stamp));
  const Message message = messages_[where][stamp];
  see(by, message.view, order);
  return message.value;
}

void Memory::store(int thread, void* at, unsigned bytes, std::uint64_t value, std::memory_order order) {
  order = effective(order, false, true);
  const std::size_t offset = canonical(at);
  const Locus where = locus(offset, bytes);
  append(threads_[static_cast<std::size_t>(thread)], where, value, order, kNoView);
  write_through(offset, bytes, value);
}

std::uint64_t Memory::update(int thread, void* at, unsigned bytes, Update how, std::uint64_t operand,
                             std::memory_order order) {
  order = effective(order, true, true);
  Thread& by = threads_[static_cast<std::size_t>(thread)];
  const std::size_t offset = canonical(at);
  const Locus where = locus(offset, bytes);
  const Message message = messages_[where].back();
  see(by, message.view, order);
  const std::uint64_t value = truncate(apply(how, message.value, operand), bytes);
  append(by, where, value, order, message.view);
  write_through(offset, bytes, value);
  return message.value;
}

bool Memory::compare_exchange(int thread, void* at, unsigned bytes, std::uint64_t& expected, std::uint64_t desired,
                              std::memory_order order, Random& random) {
  order = effective(order, true, true);
  Thread& by = threads_[static_cast<std::size_t>(thread)];
  const std::size_t offset = canonical(at);
  const Locus where = locus(offset, bytes);
  auto& history = messages_[where];
  std::size_t stamp = pick(by, where, order, random);
  if (history[stamp].value == expected) stamp = history.size() - 1;  // a swap that succeeds takes the newest
  const Message message = history[stamp];
  by.view[where] = std::max(by.view[where], static_cast<Stamp>(stamp));
  see(by, message.view, order);
  if (message.value != expected) {
    expected = message.value;
    return false;
  }
  append(by, where, desired, order, message.view);
  write_through(offset, bytes, desired);
  return true;
}

void Memory::full_fence(Thread& by) {
  join(by.view, by.pending);
  join(by.view, global_);
  global_ = by.view;
  by.release_view = snapshot(by.view);
}

void Memory::fence(int thread, std::memory_order order) {
  Thread& by = threads_[static_cast<std::size_t>(thread)];
  if (order == std::memory_order_seq_cst) {
    if (removed_ != Removed::seq_cst_fences) full_fence(by);
    return;
  }
  if (acquires(order) && removed_ != Removed::acquire_fences) join(by.view, by.pending);
  if (releases(order) && removed_ != Removed::release_fences) by.release_view = snapshot(by.view);
}

void Memory::kernel_fence(int thread) { full_fence(threads_[static_cast<std::size_t>(thread)]); }

}  // namespace leat::sim
