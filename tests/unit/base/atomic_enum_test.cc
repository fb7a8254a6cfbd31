// Enums in words that processes share.
#include "base/atomic_enum.h"

#include <gtest/gtest.h>

#include <cstring>

namespace leat::internal {
namespace {

enum class Wide : std::uint32_t { first = 0, second = 7 };
enum class Narrow : std::uint8_t { first = 0, second = 7 };

static_assert(sizeof(AtomicEnum<Wide>) == 4 && alignof(AtomicEnum<Wide>) == 4);
static_assert(sizeof(AtomicEnum<Narrow>) == 4 && alignof(AtomicEnum<Narrow>) == 4);
static_assert(sizeof(AtomicEnum<Narrow, std::atomic<std::uint8_t>>) == 1);
static_assert(std::is_standard_layout_v<AtomicEnum<Wide>>);

TEST(AtomicEnum, HoldsWhatWasStored) {
  AtomicEnum<Wide> wide(Wide::second);
  EXPECT_EQ(wide.load(), Wide::second);
  wide.store(Wide::first, std::memory_order_release);
  EXPECT_EQ(wide.load(std::memory_order_acquire), Wide::first);
}

TEST(AtomicEnum, LiesInItsWordAsTheNumberThatItIs) {
  AtomicEnum<Narrow> narrow(Narrow::second);
  std::uint32_t word = 0;
  std::memcpy(&word, static_cast<const void*>(&narrow), sizeof word);
  EXPECT_EQ(word, 7u);
}

TEST(AtomicEnum, GivesBackWhatIsNoEnumerator) {
  AtomicEnum<Wide> wide(Wide::first);
  const std::uint32_t hostile = 0xdeadbeef;
  std::memcpy(static_cast<void*>(&wide), &hostile, sizeof hostile);
  EXPECT_EQ(static_cast<std::uint32_t>(wide.load()), hostile);
  EXPECT_NE(wide.load(), Wide::first);
  EXPECT_NE(wide.load(), Wide::second);
}

TEST(AtomicEnum, ChangesOnlyWhatWasExpected) {
  AtomicEnum<Wide> wide(Wide::first);
  Wide expected = Wide::second;
  EXPECT_FALSE(wide.compare_exchange_strong(expected, Wide::second));
  EXPECT_EQ(expected, Wide::first);
  EXPECT_TRUE(wide.compare_exchange_strong(expected, Wide::second));
  EXPECT_EQ(wide.load(), Wide::second);
}

}  // namespace
}  // namespace leat::internal
