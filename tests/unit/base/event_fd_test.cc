#include "base/event_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

#include "base/unique_fd.h"

namespace leat::internal {
namespace {

TEST(EventFd, IsReadableUntilItIsRead) {
  const UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::uint64_t got = 0;
  EXPECT_EQ(::read(fd.get(), &got, sizeof got), -1);
  EXPECT_TRUE(make_readable(fd.get()));
  EXPECT_TRUE(make_readable(fd.get()));
  EXPECT_EQ(::read(fd.get(), &got, sizeof got), static_cast<ssize_t>(sizeof got));
  EXPECT_EQ(::read(fd.get(), &got, sizeof got), -1);
}

TEST(EventFd, ThatHoldsAsMuchAsItCanIsReadable) {
  const UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max() - 1;
  ASSERT_EQ(::write(fd.get(), &most, sizeof most), static_cast<ssize_t>(sizeof most));
  EXPECT_TRUE(make_readable(fd.get()));
}

TEST(EventFd, ThatIsNoneIsToldWithTheReason) {
  EXPECT_FALSE(make_readable(-1));
  EXPECT_EQ(errno, EBADF);
}

}  // namespace
}  // namespace leat::internal
