#include "base/process_mark.h"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <thread>
#include <vector>

#include "base/mapping.h"
#include "base/unique_fd.h"

namespace leat::internal {
namespace {

// Runs `check` in a fork's child; true if it said true there.
template <typename Check>
bool in_a_child(Check check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ProcessMark, StaysTheSameInOneProcessAndIsAnotherInItsChildAndItsChildsChild) {
  const std::uint64_t mine = process_mark();
  EXPECT_NE(mine, 0U);
  EXPECT_EQ(process_mark(), mine);
  EXPECT_TRUE(in_a_child([mine] {
    const std::uint64_t childs = process_mark();
    const bool grandchild = in_a_child([&] { return process_mark() != childs && process_mark() != mine; });
    return childs != mine && childs != 0 && childs == process_mark() && grandchild;
  }));
  EXPECT_EQ(process_mark(), mine);
}

TEST(ProcessMark, IsOneNumberForAllThreadsThatAskFirstInAChild) {
  EXPECT_TRUE(in_a_child([] {
    std::vector<std::uint64_t> seen(8);
    std::vector<std::thread> threads;
    for (auto& mark : seen) threads.emplace_back([&mark] { mark = process_mark(); });
    for (auto& thread : threads) thread.join();
    for (const std::uint64_t mark : seen) {
      if (mark != seen[0] || mark == 0) return false;
    }
    return true;
  }));
}

TEST(ProcessOwner, IsHereOnlyWhereItWasMade) {
  const ProcessOwner owner;
  EXPECT_TRUE(owner.is_here());
  EXPECT_TRUE(in_a_child([&] { return !owner.is_here() && ProcessOwner().is_here(); }));
  EXPECT_TRUE(owner.is_here());
}

TEST(WipedWord, IsZeroInAChildAndKeptHereOverMoves) {
  WipedWord word;
  word.set(17);
  WipedWord moved(std::move(word));
  EXPECT_EQ(moved.get(), 17U);
  WipedWord assigned;
  assigned.set(3);
  assigned = std::move(moved);
  EXPECT_EQ(assigned.get(), 17U);
  if (!assigned.is_wiped()) GTEST_SKIP() << "this kernel wipes no page on fork";
  EXPECT_TRUE(in_a_child([&] {
    const bool zero = assigned.get() == 0;
    assigned.set(99);
    WipedWord taken(std::move(assigned));
    return zero && taken.get() == 99;
  }));
  EXPECT_EQ(assigned.get(), 17U);
}

TEST(Mapping, DestroyedInAChildLeavesAloneWhatTheChildHasMappedThere) {
  const UniqueFd file(::memfd_create("mapping", MFD_CLOEXEC));
  ASSERT_TRUE(file.valid());
  constexpr std::size_t kBytes = 64 * 1024;
  ASSERT_EQ(::ftruncate(file.get(), kBytes), 0);
  for (const bool mirrored : {false, true}) {
    auto mapped = mirrored ? Mapping::map_mirrored(file.get(), Access::read_write, 4096, kBytes - 4096)
                           : Mapping::map(file.get(), Access::read_write, 0, kBytes);
    ASSERT_TRUE(mapped) << mapped.error().message;
    std::optional<Mapping> mapping(std::move(*mapped));
    EXPECT_TRUE(in_a_child([&] {
      void* const own = ::mmap(mapping->data(), kBytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
      if (own != mapping->data()) return false;
      auto* const word = static_cast<volatile int*>(own);
      *word = 5;
      mapping.reset();
      *word = *word + 1;  // SIGSEGV if it was unmapped
      return *word == 6;
    })) << "mirrored "
        << mirrored;
    mapping.reset();
  }
}

}  // namespace
}  // namespace leat::internal
