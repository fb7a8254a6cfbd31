// A look-up that fails is not a name that is not there.
#include "base/users.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace leat::internal {
namespace {

TEST(Users, OfTheHostAreFoundByTheirNames) {
  const auto root = find_user("root");
  ASSERT_TRUE(root.ok() && root->has_value());
  EXPECT_EQ(**root, 0U);
  const auto group = find_group("root");
  ASSERT_TRUE(group.ok() && group->has_value());
  EXPECT_EQ(**group, 0U);
}

TEST(Users, ThatTheHostDoesNotHaveAreNoError) {
  const auto user = find_user("no-such-user-of-leat");
  ASSERT_TRUE(user.ok());
  EXPECT_FALSE(user->has_value());
  const auto group = find_group("no-such-group-of-leat");
  ASSERT_TRUE(group.ok());
  EXPECT_FALSE(group->has_value());
}

TEST(Users, AreNotMissingWhenTheLookUpFails) {
  const auto without_descriptors = find_user("ann", [](const char*, passwd*, char*, std::size_t, passwd** found) {
    *found = nullptr;
    return EMFILE;
  });
  ASSERT_FALSE(without_descriptors.ok());
  EXPECT_EQ(without_descriptors.error().code, ErrorCode::io_error);
  EXPECT_NE(without_descriptors.error().message.find("looking up user 'ann'"), std::string::npos);
  EXPECT_NE(without_descriptors.error().message.find("Too many open files"), std::string::npos);
  const auto broken = find_group("staff", [](const char*, group*, char*, std::size_t, group** found) {
    *found = nullptr;
    return EIO;
  });
  ASSERT_FALSE(broken.ok());
  EXPECT_NE(broken.error().message.find("looking up group 'staff'"), std::string::npos);
}

TEST(Users, AreMissingWhereAServiceSaysSoByAnErrno) {
  const auto missing = find_user("ann", [](const char*, passwd*, char*, std::size_t, passwd** found) {
    *found = nullptr;
    return ENOENT;
  });
  ASSERT_TRUE(missing.ok());
  EXPECT_FALSE(missing->has_value());
}

TEST(Users, OfLargeEntriesAndOfInterruptedLookUpsAreFound) {
  const auto large = find_group("many", [](const char*, group* entry, char*, std::size_t bytes, group** found) {
    static int interruptions = 3;
    *found = nullptr;
    if (interruptions-- > 0) return EINTR;
    if (bytes < std::size_t{1} << 20) return ERANGE;
    entry->gr_gid = 4711;
    *found = entry;
    return 0;
  });
  ASSERT_TRUE(large.ok() && large->has_value());
  EXPECT_EQ(**large, 4711U);
}

}  // namespace
}  // namespace leat::internal
