#pragma once

#include <leat/idle.h>

#include "shm/base/idle.h"

namespace leat::client {

inline shm::IdleStrategy strategy_of(Idle idle) noexcept {
  switch (idle) {
    case Idle::spin: return shm::IdleStrategy::spin;
    case Idle::block: return shm::IdleStrategy::block;
    case Idle::adaptive: break;
  }
  return shm::IdleStrategy::adaptive;
}

}  // namespace leat::client
