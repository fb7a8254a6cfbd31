// One line of /var/log/dpkg.log as an event.
#pragma once

#include <string>
#include <string_view>

namespace leat::demo {

/// What a line becomes. The payload is the line itself.
struct DpkgEvent {
  std::string topic;     ///< `dpkg.<action>`, `dpkg.status.<state>`; `dpkg.other` for a line of another form
  std::string_view key;  ///< the package with its architecture, as in the log; empty where the line names none
};

/// Reads `<date> <time> <action> ...`. Any bytes are accepted; the topic always keeps the rules of check_topic().
/// `line` must outlive the result.
DpkgEvent parse_dpkg_line(std::string_view line);

}  // namespace leat::demo
