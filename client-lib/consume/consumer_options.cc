#include "client-lib/consume/consumer_options.h"

#include <algorithm>
#include <string>

#include "client-lib/connect/connection.h"
#include "client-lib/read/start_place.h"
#include "journal/format/cursor_file.h"
#include "shm/control/control_layout.h"

namespace leat::client {

using namespace internal;

namespace {

Error bad_option(const std::string& what, std::string_view advice = {}, Error::Join join = Error::Join::semicolon) {
  return {ErrorCode::invalid_argument, what, advice, join};
}

}  // namespace

Result<void> check_options(const ConsumerOptions& options) {
  if (options.name.size() > kClientNameBytes) {
    return bad_option("a consumer's name of " + std::to_string(options.name.size()) + " bytes is too long: at most " +
                      std::to_string(kClientNameBytes));
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(options.name, is_control)) {
    return bad_option("a consumer's name holds a control character", "leave it out");
  }
  if (!options.cursor_name.empty() && !is_cursor_name(options.cursor_name)) {
    return bad_option("bad cursor name '" + options.cursor_name.substr(0, 80) + "'", "use 1 to 63 of A-Z a-z 0-9 . _ -",
                      Error::Join::colon);
  }
  if (options.level != Level::live && options.level != Level::durable) {
    return bad_option("level " + std::to_string(static_cast<int>(options.level)) + " is none of Level",
                      "use Level::live or Level::durable", Error::Join::colon);
  }
  if (auto checked = check_timeout("connect_timeout", options.connect_timeout); !checked) return checked;
  return check_start(options.start);
}

}  // namespace leat::client
