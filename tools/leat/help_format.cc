#include "tools/leat/help_format.h"

namespace leat::tool {

std::string overview(const Commands& commands) {
  const std::size_t width = help_width();
  std::string text =
      "leat: publish into and read from feeds of change events on this host.\n\n"
      "  leatd --feed demo &                                   serve a feed\n"
      "  leat pub --feed demo --topic session.created hello    publish into it\n"
      "  leat tail --feed demo --from earliest                 read it, and follow it\n"
      "  leat feeds                                            what is served here\n\n"
      "Commands:\n";
  for (const Command& known : commands)
    text += cmdline::help_row(known.app->get_name(), known.app->get_description(), width);
  return text + "\nleat help COMMAND says all about one; leat help, also about exit statuses and the environment.\n";
}

}  // namespace leat::tool
