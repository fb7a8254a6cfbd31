// The work of one producer process.
#pragma once

#include <cstddef>

#include <leat/feed_address.h>

namespace leat::demo {

/// Producer `index` of `count` publishes lines index, index + count, index + 2 * count, ... in that order.
struct Share {
  std::size_t index = 0;
  std::size_t count = 1;
};

/// Connects, writes "ready <producer_id>\n" to standard output, waits for one byte on standard input, publishes its
/// share of the lines in the inherited snapshot `input_fd`, waits until the last is committed, and writes
/// "done <events> <sequence of the last>\n". Returns the exit status; errors are one line on standard error.
int publish_lines(const FeedAddress& address, Share share, int input_fd);

}  // namespace leat::demo
