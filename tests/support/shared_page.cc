#include "support/shared_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace leat::test {

SharedPage::SharedPage(const std::filesystem::path& path) : path_(path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  void* mapped = MAP_FAILED;
  if (fd >= 0 && ::ftruncate(fd, kWords * sizeof(std::uint64_t)) == 0) {
    mapped = ::mmap(nullptr, kWords * sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  if (mapped == MAP_FAILED) {
    std::perror(path.c_str());
    std::abort();
  }
  ::close(fd);
  words_ = static_cast<std::atomic<std::uint64_t>*>(mapped);
}

SharedPage::~SharedPage() { ::munmap(words_, kWords * sizeof(std::uint64_t)); }

std::atomic<std::uint64_t>& SharedPage::operator[](std::size_t word) const {
  if (word >= kWords) std::abort();
  return words_[word];
}

void SharedPage::wait_for(std::size_t word, std::uint64_t value) const {
  while ((*this)[word].load() < value) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace leat::test
