#include "broker/control/admission.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace leat::broker {
namespace {

constexpr uid_t kSomebody = 54321;

Admission admission_of(const std::vector<std::string>& publish, const std::vector<std::string>& subscribe = {}) {
  auto parsed = Admission::parse(publish, subscribe);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message;
  return std::move(*parsed);
}

bool may(const Admission& admission, internal::Role role, std::vector<gid_t> groups = {}) {
  return admission.check({.pid = 1, .uid = kSomebody, .groups = std::move(groups)}, role).ok();
}

TEST(AdmissionTest, AShareIsNeverNothingAndNeverMoreThanThereIs) {
  Admission admission;
  for (const std::uint64_t total : {1ULL, 2ULL, 3ULL, 99ULL, 1ULL << 40, ~0ULL}) {
    for (const std::uint32_t percent : {1U, 33U, 50U, 99U, 100U}) {
      admission.set_user_share(percent);
      const std::uint64_t share = admission.share_of(kSomebody, total);
      EXPECT_GE(share, 1U) << percent << "% of " << total;
      EXPECT_LE(share, total) << percent << "% of " << total;
      EXPECT_EQ(share == total, percent == 100 || total == 1) << percent << "% of " << total;
    }
  }
  admission.set_user_share(25);
  EXPECT_EQ(admission.share_of(kSomebody, 8), 2U);
  EXPECT_EQ(admission.share_of(kSomebody, 1ULL << 63), 1ULL << 61) << "without an overflow";
}

TEST(AdmissionTest, TheBrokersOwnUserAndRootHaveNoShare) {
  Admission admission;
  admission.set_user_share(1);
  EXPECT_EQ(admission.share_of(::geteuid(), 1000), 1000U);
  EXPECT_EQ(admission.share_of(0, 1000), 1000U);
}

TEST(AdmissionTest, ARuleIsForOneRole) {
  const Admission admission = admission_of({"uid:54321"}, {"gid:77"});
  EXPECT_TRUE(may(admission, internal::Role::producer));
  EXPECT_FALSE(may(admission, internal::Role::consumer));
  EXPECT_TRUE(may(admission, internal::Role::consumer, {5, 77}));
  EXPECT_FALSE(may(admission, internal::Role::consumer, {54321})) << "a user's number is no group's";
}

TEST(AdmissionTest, WithARuleTheSocketIsOpenToOthers) {
  EXPECT_EQ(admission_of({}).socket_mode(), 0600U);
  EXPECT_EQ(admission_of({"uid:1"}).socket_mode(), 0666U);
  EXPECT_EQ(admission_of({}, {"any"}).socket_mode(), 0666U);
}

TEST(AdmissionTest, RefusesARuleThatItCannotReadAndNamesIt) {
  for (const char* rule : {"uid:12x", "uid:", "uid:-1", "uid:4294967296", "gid: 1", "uid", "everybody", "", "any:1",
                           "user:no-such-user", "group:no-such-group", "user:", "UID:1"}) {
    const auto parsed = Admission::parse({}, {rule});
    ASSERT_FALSE(parsed.ok()) << rule;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(parsed.error().message.find("--allow-subscribe " + std::string(rule)), std::string::npos)
        << parsed.error().message;
  }
}

}  // namespace
}  // namespace leat::broker
