// What the processes of a campaign have in common, whether they publish or subscribe.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

#include <leat/error.h>

#include "support/helper_main.h"
#include "support/history_writer.h"
#include "support/shared_page.h"

namespace leat::test {

class CampaignClient {
 public:
  explicit CampaignClient(const HelperArguments& arguments)
      : arguments_(arguments),
        page_(arguments.page()),
        history_(arguments.text("history"), arguments.text("who"), arguments.number("rotate")),
        client_(arguments.number("client")) {}

 protected:
  /// The campaign takes brokers away: then one is waited for. `busy`: the broker has yet to notice that whoever had the
  /// place before is dead.
  static bool may_come(ErrorCode code) {
    return code == ErrorCode::no_broker || code == ErrorCode::unknown_feed || code == ErrorCode::timed_out ||
           code == ErrorCode::closed || code == ErrorCode::busy;
  }

  void complain(const char* what, const Error& error) {
    std::fprintf(stderr, "%s (pid %d): %s: %s: %s\n", history_.who().c_str(), ::getpid(), what,
                 std::string(error_name(error.code)).c_str(), error.message.c_str());
    status_ = 1;
  }

  const HelperArguments& arguments_;
  SharedPage page_;
  HistoryWriter history_;
  std::size_t client_;
  int status_ = 0;
};

}  // namespace leat::test
