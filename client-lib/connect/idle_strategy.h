#pragma once

#include <leat/idle.h>

#include "base/idle.h"

namespace leat::client {

inline internal::IdleStrategy strategy_of(Idle idle) noexcept {
  switch (idle) {
    case Idle::spin: return internal::IdleStrategy::spin;
    case Idle::block: return internal::IdleStrategy::block;
    case Idle::adaptive: break;
  }
  return internal::IdleStrategy::adaptive;
}

}  // namespace leat::client
