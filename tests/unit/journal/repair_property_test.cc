// Random damage of random journals, repaired; and repairs killed after each of their system calls. The number of
// journals follows LEAT_TORTURE (long, short; by default a handful). A failure prints the seed that does it again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/fixtures/random_damage.h"
#include "broker/log.h"
#include "tests/unit/fixtures/repair_bench.h"

namespace leat::internal {
namespace {

using test::DamagedJournal;
using test::JournalMaker;

std::uint64_t sized(std::uint64_t few, std::uint64_t short_form, std::uint64_t long_form) {
  const char* const form = std::getenv("LEAT_TORTURE");
  if (form == nullptr) return few;
  return std::string_view(form) == "long" ? long_form : short_form;
}

bool is_beyond_repair(const JournalCheck& check) {
  return std::ranges::any_of(check.damages, [](const Damage& d) { return d.kind == DamageKind::contradiction; });
}

TEST(RepairProperty, LosesNothingThatItDoesNotReportWhateverIsDamaged) {
  broker::Log::set_level("off");
  const std::uint64_t base = test::test_seed();
  const std::uint64_t count = sized(100, 1'500, 200'000);
  std::uint64_t intact = 0, unproven = 0, beyond = 0, lost = 0, kept = 0, torn = 0;
  for (std::uint64_t seed = base; seed < base + count; ++seed) {
    DamagedJournal made = test::make_damaged_journal(seed);
    JournalMaker& journal = *made.journal;
    const std::string again = "LEAT_TEST_SEED=" + std::to_string(seed) + made.story;
    auto check = check_journal(journal.directory());
    if (!check) {
      ASSERT_EQ(check.error().code, ErrorCode::corrupt) << check.error().message << "\n" << again;
      ++unproven;
      continue;
    }
    intact += check->intact() ? 1 : 0;
    const test::FileSet before = test::read_files(journal.path());
    auto done = repair_journal(journal.directory(), *check);
    if (is_beyond_repair(*check)) {
      ++beyond;
      ASSERT_FALSE(done.ok()) << again;
      if (std::getenv("LEAT_TEST_TELL") != nullptr)
        std::printf("%s\n%s", again.c_str(), test::describe(*check).c_str());
      ASSERT_TRUE(test::read_files(journal.path()) == before) << "refused, yet something was changed\n" << again;
      continue;
    }
    ASSERT_TRUE(done.ok()) << done.error().message << "\n" << again << "\n" << test::describe(*check);
    ASSERT_EQ(test::broken_promise(journal, *check, made.tail_may_go), "") << again;
    lost += check->events_lost();
    kept += check->end_sequence - check->events_lost();
    torn += check->torn_bytes > 0 ? 1 : 0;
  }
  std::printf(
      "%llu damaged journals: %llu events kept, %llu given up; %llu harmless, %llu with a torn tail, %llu without a "
      "proof of identity, %llu contradictory\n",
      static_cast<unsigned long long>(count), static_cast<unsigned long long>(kept),
      static_cast<unsigned long long>(lost), static_cast<unsigned long long>(intact),
      static_cast<unsigned long long>(torn), static_cast<unsigned long long>(unproven),
      static_cast<unsigned long long>(beyond));
  EXPECT_LE(unproven + beyond, 1 + count / 50) << "repair gives up too often";
}

#ifdef __x86_64__

void put_back(const JournalMaker& journal, const test::FileSet& files) {
  for (const auto& entry : std::filesystem::directory_iterator(journal.path())) {
    if (!files.contains(entry.path().filename().string())) std::filesystem::remove(entry.path());
  }
  for (const auto& [name, bytes] : files) std::ofstream(journal.path() / name, std::ios::binary) << bytes;
}

// Repairs in a child that is killed when its system call number `at` has returned; 0: never. If `torn`, that call,
// where it is a pwrite, only gets half of its bytes. Returns how many system calls were seen.
std::uint64_t repair_and_kill(const JournalMaker& journal, const JournalCheck& check, std::uint64_t at, bool torn) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    const auto done = repair_journal(journal.directory(), check);
    ::_exit(done.ok() ? 0 : 1);
  }
  int status = 0;
  std::uint64_t calls = 0;
  bool entering = true;
  ::waitpid(child, &status, 0);
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  for (;;) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    ::waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) break;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
    constexpr unsigned long long kPwrite64 = 18;
    user_regs_struct registers{};
    if (entering && torn && calls + 1 == at && ::ptrace(PTRACE_GETREGS, child, nullptr, &registers) == 0 &&
        registers.orig_rax == kPwrite64) {
      registers.rdx /= 2;
      ::ptrace(PTRACE_SETREGS, child, nullptr, &registers);
    }
    if (!entering && ++calls == at) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    entering = !entering;
  }
  return calls;
}

TEST(RepairProperty, IsFinishedByTheNextOneWhereverItWasKilled) {
  broker::Log::set_level("off");
  const std::uint64_t base = test::test_seed();
  const std::uint64_t journals = sized(2, 12, 400);
  const std::uint64_t stride = sized(3, 2, 1);
  std::uint64_t kills = 0, repaired = 0;
  for (std::uint64_t seed = base; repaired < journals; ++seed) {
    DamagedJournal made = test::make_damaged_journal(seed);
    JournalMaker& journal = *made.journal;
    const std::string again = "LEAT_TEST_SEED=" + std::to_string(seed) + made.story;
    auto check = check_journal(journal.directory());
    if (!check || check->intact() || is_beyond_repair(*check)) continue;
    ++repaired;
    const test::FileSet damaged = test::read_files(journal.path());
    const std::uint64_t calls = repair_and_kill(journal, *check, 0, false);
    put_back(journal, damaged);
    ASSERT_GT(calls, 5u);
    for (std::uint64_t at = 1 + seed % stride; at <= calls; at += stride) {
      for (const bool torn : {false, true}) {
        repair_and_kill(journal, *check, at, torn);
        ++kills;
        const JournalCheck second = test::repair(journal);
        ASSERT_EQ(test::broken_promise(journal, *check, made.tail_may_go), "")
            << again << ", killed after system call " << at << " of " << calls << (torn ? ", with half a write" : "")
            << "\nthe second repair found:\n"
            << test::describe(second);
        put_back(journal, damaged);
      }
    }
  }
  std::printf("%llu repairs of %llu journals killed after a system call, then finished\n",
              static_cast<unsigned long long>(kills), static_cast<unsigned long long>(repaired));
}

#endif

}  // namespace
}  // namespace leat::internal
