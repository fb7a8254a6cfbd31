/* The pair (committed, sequence): BroadcastWriter::commit and BroadcastReader::read_latest in
 * shm/broadcast/broadcast_ring.h. Commit i stands for position i and sequence 10 + i. Stores are weak (store_buffer.pml).
 *
 * Proved: a pair that read_latest() returns is one that was committed; and it comes to an end when commits do, also when
 * the writer is killed after any of its stores.
 *
 * Broken variants, which this model catches: NO_POSITION (the slot is written without setting its position aside),
 * NO_RELEASE_FENCE, ONE_SLOT (all commits write the same), NO_SECOND_LOOK.
 */
#ifndef COMMITS
#define COMMITS 4
#endif
#ifndef BUFFER
#define BUFFER 5
#endif
#define NO_POSITION_YET 99

#define POSITION(slot) (slot)
#define SEQUENCE(slot) (2 + (slot))
#define COMMITTED 4
#define LOCATIONS 5
#include "store_buffer.pml"

inline may_die() {
  if
  :: commits_ > 1 -> goto dead
  :: true
  fi
}

proctype BroadcastWriter() {
  byte commits_ = 0, slot;
  do
  :: commits_ < COMMITS ->
    commits_++;
#ifdef ONE_SLOT
    slot = 0;
#else
    slot = commits_ % 2;
#endif
#ifndef NO_POSITION
    store_relaxed(POSITION(slot), NO_POSITION_YET);
#endif
#ifndef NO_RELEASE_FENCE
    fence_release();
#endif
    may_die();
    store_relaxed(SEQUENCE(slot), 10 + commits_);
    may_die();
    store_release(POSITION(slot), commits_);
    may_die();
    store_release(COMMITTED, commits_)
  :: else -> break
  od;
dead:
  skip
}

proctype BroadcastReader() {
  byte position, sequence, slot;
  do
  :: position = memory[COMMITTED];
    if
    :: position == 0 -> memory[COMMITTED] != 0
    :: else ->
      slot = 0;
      do
      :: slot < 2 ->
        if
        :: memory[POSITION(slot)] == position ->
          sequence = memory[SEQUENCE(slot)];
#ifndef NO_SECOND_LOOK
          if
          :: memory[POSITION(slot)] == position -> goto found
          :: else
          fi
#else
          goto found
#endif
        :: else
        fi;
        slot++
      :: else -> break
      od;
      /* Neither slot says so: commits have passed by, and `committed` has moved. */
      memory[COMMITTED] != position
    fi
  od;
found:
  assert(sequence == 10 + position)
}

init { atomic { run BroadcastWriter(); run BroadcastReader() } }
