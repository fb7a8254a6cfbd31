#include "broker/host/reload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>

namespace leat::broker {
namespace {

TEST(Reload, KnowsEveryOptionButThoseThatOnlyMatterAtAStart) {
  const char* const words[] = {"leatd", "--help"};
  const std::string help = parse_options(2, words).text;
  const std::set<std::string> only_at_start = {"--help", "--version", "--config", "--standby", "--ready-fd"};
  std::set<std::string> known;
  for (const Setting& setting : settings_of(Options{})) known.insert(setting.option);
  const std::regex option("(^|\n) *(-[a-z],)?(--[a-z][a-z-]*)");
  int seen = 0;
  for (auto at = std::sregex_iterator(help.begin(), help.end(), option); at != std::sregex_iterator(); ++at) {
    const std::string name = (*at)[3];
    ++seen;
    EXPECT_TRUE(known.contains(name) || only_at_start.contains(name))
        << name << " is changed by SIGHUP in silence, or not at all";
  }
  EXPECT_GT(seen, 20);
}

TEST(Reload, SaysWhatChangesNowAndWhatNeedsARestart) {
  Options running;
  Options wanted;
  wanted.log_level = "debug";
  wanted.allow_subscribe = {"any"};
  wanted.ring_bytes *= 2;
  wanted.sync = SyncPolicy::always;
  const SettingChanges changes = compare_settings(running, wanted);
  EXPECT_EQ(changes.now, (std::vector<std::string>{"--allow-subscribe any", "--log-level debug"}));
  EXPECT_EQ(changes.at_restart, (std::vector<std::string>{"--ring-bytes", "--sync"}));
  take_live_settings(running, wanted);
  const SettingChanges left = compare_settings(running, wanted);
  EXPECT_TRUE(left.now.empty());
  EXPECT_EQ(left.at_restart, changes.at_restart) << "what needs a restart is named each time, until there is one";
}

TEST(Reload, TakesEachSettingThatItSaysIsChangedNow) {
  Options running;
  Options wanted;
  wanted.allow_publish = {"uid:1", "uid:2"};
  wanted.allow_subscribe = {"any"};
  wanted.user_share = 7;
  wanted.log_level = "error";
  wanted.log_file = "/var/log/leatd.log";
  const SettingChanges changes = compare_settings(running, wanted);
  const std::vector<std::string> now = {"--allow-publish uid:1 uid:2", "--allow-subscribe any", "--user-share 7",
                                        "--log-level error"};
  EXPECT_EQ(changes.now, now);
  EXPECT_EQ(changes.at_restart, std::vector<std::string>{"--log-file"});
  take_live_settings(running, wanted);
  EXPECT_TRUE(compare_settings(running, wanted).now.empty());
  EXPECT_EQ(running.user_share, 7U);
}

}  // namespace
}  // namespace leat::broker
