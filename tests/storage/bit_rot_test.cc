// Bit rot: a small journal is damaged in one place, in every place. What opens is intact, or says exactly what is not;
// nothing that was durable is lost in silence, no wrong record is read, nothing crashes or hangs.
#include <gtest/gtest.h>

#include <random>

#include "tests/storage/campaign.h"
#include "broker/log.h"
#include "tests/storage/examiner.h"

namespace leat::test {
namespace {

constexpr int kEvents = 160;
constexpr std::uint64_t kSegments = 3;
constexpr int kFewEvents = 6;
constexpr std::uint64_t kShortFlips = 8'000;
constexpr std::uint64_t kShortTruncations = 1'500;

void flip(Examiner& examiner, const Specimen& specimen, const std::string& file, std::uint64_t bit) {
  const std::uint64_t offset = bit / 8;
  const auto mask = static_cast<unsigned char>(1U << (bit % 8));
  const auto old = static_cast<unsigned char>(specimen.image.at(file)[offset]);
  examiner.journal().write(file, offset, std::string(1, static_cast<char>(old ^ mask)));
  examiner.examine(file, file + ", offset " + std::to_string(offset) + ", bit " + std::to_string(bit % 8));
}

void truncate(Examiner& examiner, const std::string& file, std::uint64_t bytes) {
  examiner.journal().truncate(file, bytes);
  examiner.examine(file, file + " cut to " + std::to_string(bytes) + " bytes");
}

void flip_all(Examiner& examiner, const Specimen& specimen) {
  for (const auto& [file, bytes] : specimen.image) {
    for (std::uint64_t bit = 0; bit < 8 * bytes.size(); ++bit) flip(examiner, specimen, file, bit);
  }
}

void truncate_all(Examiner& examiner, const Specimen& specimen) {
  for (const auto& [file, bytes] : specimen.image) {
    for (std::uint64_t left = 0; left < bytes.size(); ++left) truncate(examiner, file, left);
  }
}

// Half of the picks where something is written, half anywhere.
void flip_some(Examiner& examiner, const Specimen& specimen, std::uint64_t count, std::mt19937_64& random) {
  std::vector<std::pair<std::string, std::uint64_t>> written;
  std::vector<std::string> files;
  for (const auto& [file, bytes] : specimen.image) {
    files.push_back(file);
    for (std::uint64_t at = 0; at < bytes.size(); ++at) {
      if (bytes[at] != 0) written.emplace_back(file, at);
    }
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i % 2 == 0) {
      const auto& [file, at] = written[random() % written.size()];
      flip(examiner, specimen, file, 8 * at + random() % 8);
    } else {
      const std::string& file = files[random() % files.size()];
      flip(examiner, specimen, file, random() % (8 * specimen.image.at(file).size()));
    }
  }
}

void truncate_some(Examiner& examiner, const Specimen& specimen, std::uint64_t count, std::mt19937_64& random) {
  std::vector<std::string> files;
  for (const auto& [file, bytes] : specimen.image) files.push_back(file);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string& file = files[random() % files.size()];
    truncate(examiner, file, random() % specimen.image.at(file).size());
  }
}

class BitRot : public ::testing::TestWithParam<Close> {
 protected:
  BitRot() { broker::Log::set_level("off"); }
  static const char* how() { return GetParam() == Close::cleanly ? "closed cleanly" : "not closed"; }
  std::mt19937_64 random_{test_seed()};
  Outcomes outcomes_;
};

TEST_P(BitRot, OfAnyBitIsHarmlessOrTold) {
  const Specimen specimen = make_specimen(kEvents, kSegments, GetParam());
  ASSERT_GE(specimen.segments.size(), 3u);
  ASSERT_GT(specimen.first_sequence, 1u) << "older segments were recycled";
  Examiner examiner(specimen, outcomes_);
  is_long() ? flip_all(examiner, specimen) : flip_some(examiner, specimen, kShortFlips, random_);
  outcomes_.print(is_long() ? "every bit of three segments, feed and cursors"
                            : "bits of three segments, feed and cursors");
  EXPECT_GT(outcomes_.reader_told, 0u) << how();
  EXPECT_GT(outcomes_.intact, 0u);
}

// A journal of one segment: every bit of what is written in it, and of all of feed and cursors.
TEST_P(BitRot, OfEveryWrittenBitOfATinyJournalIsHarmlessOrTold) {
  const Specimen specimen = make_specimen(kFewEvents, kSegments, GetParam());
  Examiner examiner(specimen, outcomes_);
  for (const auto& [file, bytes] : specimen.image) {
    for (std::uint64_t at = 0; at < bytes.size(); ++at) {
      if (bytes[at] == 0 && file.ends_with(".seg")) continue;
      for (std::uint64_t bit = 0; bit < 8; ++bit) flip(examiner, specimen, file, 8 * at + bit);
    }
  }
  outcomes_.print("every written bit of a tiny journal");
}

TEST_P(BitRot, OfAnyLengthIsTold) {
  const Specimen specimen = make_specimen(kEvents, kSegments, GetParam());
  Examiner examiner(specimen, outcomes_);
  is_long() ? truncate_all(examiner, specimen) : truncate_some(examiner, specimen, kShortTruncations, random_);
  outcomes_.print(is_long() ? "every truncation" : "truncations");
}

INSTANTIATE_TEST_SUITE_P(Journals, BitRot, ::testing::Values(Close::no, Close::cleanly),
                         [](const auto& of) { return of.param == Close::cleanly ? "ClosedCleanly" : "NotClosed"; });

}  // namespace
}  // namespace leat::test
