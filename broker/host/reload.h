// What SIGHUP does: the options are read anew, what can change while leatd runs is changed, and the rest is named.
#pragma once

#include <string>
#include <vector>

#include "broker/options.h"

namespace leat::broker {

/// An option as text, and whether it takes effect without a restart.
struct Setting {
  std::string option;
  std::string value;
  bool live = false;
};

/// All options but --config and those that only matter at a start.
std::vector<Setting> settings_of(const Options& options);

/// Names of the options that differ, by whether they can change now.
struct SettingChanges {
  std::vector<std::string> now;  ///< "--log-level debug"
  std::vector<std::string> at_restart;
};
SettingChanges compare_settings(const Options& running, const Options& wanted);

/// Takes over what can change now.
void take_live_settings(Options& running, const Options& wanted);

}  // namespace leat::broker
