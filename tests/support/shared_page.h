// A page of counters that a test and its child processes see at once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace leat::test {

/// A small mapped file of 64-bit words. Made by the test, opened by the children.
class SharedPage {
 public:
  static constexpr std::size_t kWords = 512;

  /// Creates the file if need be. Ends the process on failure: no test goes on without it.
  explicit SharedPage(const std::filesystem::path& path);
  ~SharedPage();
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;

  std::atomic<std::uint64_t>& operator[](std::size_t word) const;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Sleeps in small steps until `word` is at least `value`. A hang is the watchdog's business.
  void wait_for(std::size_t word, std::uint64_t value) const;

 private:
  std::filesystem::path path_;
  std::atomic<std::uint64_t>* words_ = nullptr;
};

}  // namespace leat::test
