// Copies of words: every size and alignment that occurs, and not a byte beyond.
#include "base/words.h"

#include <gtest/gtest.h>

#include <vector>

namespace leat::internal {
namespace {

TEST(Words, AreCopiedAtEverySizeAndPlaceAndNothingBesideThem) {
  constexpr std::size_t kWords = 80;
  std::vector<std::uint64_t> from(kWords + 8);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = 0x0101010101010101ULL * (i + 1);
  for (std::size_t skip = 0; skip < 9; ++skip) {
    for (std::size_t count = 0; count + skip < kWords - 1; ++count) {
      std::vector<std::uint64_t> to(kWords, ~0ULL);
      copy_words_across(to.data() + skip, from.data() + (skip * 3) % 8, count * kWordBytes);
      for (std::size_t i = 0; i < kWords; ++i) {
        const bool inside = i >= skip && i < skip + count;
        ASSERT_EQ(to[i], inside ? from[i - skip + (skip * 3) % 8] : ~0ULL) << skip << " " << count << " " << i;
      }
    }
  }
}

TEST(Words, AlignUpGoesToTheNextMultiple) {
  EXPECT_EQ(align_up(std::uint64_t{0}, 8), 0U);
  EXPECT_EQ(align_up(std::uint64_t{1}, 8), 8U);
  EXPECT_EQ(align_up(std::uint64_t{8}, 8), 8U);
  EXPECT_EQ(align_up(std::uint64_t{9}, 4096), 4096U);
}

}  // namespace
}  // namespace leat::internal
