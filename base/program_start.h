// What every program of ours sets right before it does anything else.
#pragma once

namespace leat::internal {

/// Call it first in main(), before any file is opened and any thread is started.
/// - Descriptors 0 to 2 are taken where they were closed: else the next file that is opened, a lock or a segment of the
///    feed perhaps, would become somebody's "standard error". They are opened the wrong way round, so that using them
///    still fails, and says so.
/// - SIGPIPE and SIGXFSZ are ignored: a write that nobody reads, or that would pass the limit on file sizes, is then an
///    error (EPIPE, EFBIG) that is dealt with where it happens, and not the end of the process without a word.
/// A library cannot do this for its program: see docs/operations.md.
void prepare_program() noexcept;

}  // namespace leat::internal
