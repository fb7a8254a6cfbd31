// Which measurements make up a run.
#pragma once

#include <vector>

#include "measure.h"

namespace leat::bench {

/// Rows for the pictures, each measured once.
std::vector<Row> picture_rows(bool quick);
/// Rows that the targets are made of, measured several times, taking turns.
std::vector<Row> target_rows(bool quick);

}  // namespace leat::bench
