/* The broadcast ring with a writer that laps its reader: shm/broadcast/broadcast_ring.h (BroadcastWriter::raise_intent,
 * commit; BroadcastReader::committed, in_window, copy, still_valid). Word q of the journal's string holds the value q + 1;
 * the ring keeps the last CAPACITY of them. Stores are weak (store_buffer.pml); the reader's loads of words come in any
 * order, and those of `committed` and `intent` before or after them unless an order or a fence forbids it.
 *
 * Proved, for all interleavings and all orders of stores and loads within the bounds:
 *   - a copy that still_valid() accepts holds exactly the words of its positions: never torn, never of another lap (I9);
 *   - the reader's place never goes beyond `committed`.
 *
 * Broken variants, which this model catches: NO_RELEASE_FENCE, INTENT_AS_RELEASE_STORE (instead of the fence),
 * NO_ACQUIRE_FENCE, CHECK_BEFORE_COPY, COMMITTED_STORED_RELAXED, COMMITTED_LOADED_RELAXED, INTENT_AFTER_WORDS.
 */
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef WORDS
#define WORDS 5             /* of the whole string */
#endif
#ifndef STEP
#define STEP 1              /* intent is raised to a multiple of it */
#endif
#ifndef BUFFER
#define BUFFER 5
#endif

#define INTENT CAPACITY
#define COMMITTED (CAPACITY + 1)
#define LOCATIONS (CAPACITY + 2)
#include "store_buffer.pml"

#define word_at(position) ((position) % CAPACITY)
#define align_up(position) (((position) + STEP - 1) / STEP * STEP)

byte lapped = 0;            /* capped: copies thrown away */
byte accepted = 0;

proctype BroadcastWriter() {
  byte position = 0, end_, at;
  do
  :: position < WORDS ->
    /* A record of one word, or of two. */
    if
    :: end_ = position + 1
    :: position + 2 <= WORDS -> end_ = position + 2
    fi;
    /* raise_intent() */
#ifndef INTENT_AFTER_WORDS
#ifdef INTENT_AS_RELEASE_STORE
    store_release(INTENT, align_up(end_));
#else
    store_relaxed(INTENT, align_up(end_));
#ifndef NO_RELEASE_FENCE
    fence_release();
#endif
#endif
#endif
    at = position;
    do
    :: at < end_ -> store_relaxed(word_at(at), at + 1); at++
    :: else -> break
    od;
#ifdef INTENT_AFTER_WORDS
    store_relaxed(INTENT, align_up(end_));
    fence_release();
#endif
    /* commit() */
    position = end_;
#ifdef COMMITTED_STORED_RELAXED
    store_relaxed(COMMITTED, position)
#else
    store_release(COMMITTED, position)
#endif
  :: else -> break
  od
}

/* The words of [position, limit) by relaxed loads, in any order. */
inline copy_words() {
  copied = 0;
  do
  :: copied < (1 << (limit - position)) - 1 ->
    if
    :: limit - position >= 1 && (copied & 1) == 0 -> copy[0] = memory[word_at(position)]; copied = copied | 1
    :: limit - position >= 2 && (copied & 2) == 0 -> copy[1] = memory[word_at(position + 1)]; copied = copied | 2
    :: limit - position >= 3 && (copied & 4) == 0 -> copy[2] = memory[word_at(position + 2)]; copied = copied | 4
    fi
  :: else -> break
  od
}

proctype BroadcastReader() {
  byte position = 0, limit, intent, copied, at;
  byte copy[3];
  do
  :: position < WORDS ->
#ifdef COMMITTED_LOADED_RELAXED
    limit = position + 1;
    if
    :: position + 2 <= WORDS && CAPACITY >= 2 -> limit = position + 2
    :: skip
    fi;
    copy_words();
    memory[COMMITTED] >= limit;   /* the load of committed() comes only now */
#else
    atomic { memory[COMMITTED] > position -> limit = memory[COMMITTED] };  /* committed(), acquire */
#endif
    if
    :: limit - position <= CAPACITY
    :: else -> goto is_lapped                      /* not in_window() any more */
    fi;
#if defined(CHECK_BEFORE_COPY)
    intent = memory[INTENT];
    copy_words();
#elif defined(NO_ACQUIRE_FENCE)
    if
    :: intent = memory[INTENT]; copy_words()       /* nothing keeps this load behind those */
    :: copy_words(); intent = memory[INTENT]
    fi;
#elif defined(COMMITTED_LOADED_RELAXED)
    intent = memory[INTENT];
#else
    copy_words();
    intent = memory[INTENT];                       /* still_valid(): behind the acquire fence */
#endif
    if
    :: intent <= position + CAPACITY ->
      at = 0;
      do
      :: position + at < limit -> assert(copy[at] == position + at + 1); at++
      :: else -> break
      od;
      position = limit;
      if :: accepted < 2 -> accepted++ :: else fi
    :: else ->
is_lapped:
      position = limit;                            /* it goes on from the journal, which holds the same */
      if :: lapped < 1 -> lapped++ :: else fi
    fi;
    d_step { copy[0] = 0; copy[1] = 0; copy[2] = 0; at = 0; copied = 0; intent = 0 }
  :: else -> break
  od;
  assert(position == WORDS)
}

init { atomic { run BroadcastWriter(); run BroadcastReader() } }
