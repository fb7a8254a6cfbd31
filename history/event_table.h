// What is known about each sequence: which event it is, to whom it was reported, whether anybody saw it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>

namespace leat::history {

struct Slot {
  std::uint64_t number = 0;
  std::uint64_t hash = 0;
  std::uint32_t producer = 0;
  bool used = false;
  bool hash_known = false;
  bool seen = false;        ///< by a consumer
  bool durable = false;     ///< seen by a durable consumer, or reported durable
  bool reported = false;    ///< this sequence was reported to a producer
  bool forgivable = false;  ///< was not durable when the host lost power: may be gone
};

/// Pages of slots, so that sequences may begin anywhere and have holes; the lowest pages can be dropped. Memory follows
/// the number of events that are known, never the values of their sequences.
class EventTable {
 public:
  static constexpr std::uint64_t kPageSlots = 1024;
  struct Page {
    std::array<Slot, kPageSlots> slots;
    std::uint64_t used = 0;
  };
  using Pages = std::map<std::uint64_t, std::unique_ptr<Page>>;  // by sequence / kPageSlots

  /// The slot of a sequence, or null if nothing is known of it.
  [[nodiscard]] Slot* find(std::uint64_t sequence);
  /// The slot of a sequence, made if need be; the caller fills it and must not call this twice for an unused one.
  Slot& use(std::uint64_t sequence);
  void forget(std::uint64_t sequence);

  [[nodiscard]] Pages& pages() noexcept { return pages_; }
  /// Sequences below have been dropped.
  [[nodiscard]] std::uint64_t floor() const noexcept { return floor_; }
  [[nodiscard]] std::uint64_t used() const noexcept { return used_; }  ///< with those dropped
  [[nodiscard]] std::uint64_t held() const noexcept { return pages_.size() * kPageSlots; }
  void drop_lowest_page();

 private:
  Page* page_of(std::uint64_t sequence);

  Pages pages_;
  std::uint64_t last_index_ = 0;  // a page is looked for again and again
  Page* last_page_ = nullptr;
  std::uint64_t floor_ = 1;
  std::uint64_t used_ = 0;
};

}  // namespace leat::history
