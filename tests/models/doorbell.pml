/* Consumers that sleep and the sequencer that wakes them: shm/broadcast/doorbell.h (sleep_on, ring_doorbell) and the
 * consumer's loop around it (client-lib/consume). The watermark is stored into a store buffer of the waker's, which a full
 * fence, a locked instruction and the kernel's own barriers empty. Sleepers may return early, as futex_wait() may.
 * Time-outs are left out: what sleeps without being woken sleeps for ever, and is found as a state that nobody leaves.
 *
 * Proved: no wake-up is lost, whoever else sleeps or returns early: each sleeper gets to see the last watermark.
 *
 * Broken variants, which this model catches: NO_FENCE_OF_WAKER, LOOK_BEFORE_FLAG (what a missing fence of the sleeper's
 * permits), WATERMARK_IS_FUTEX_WORD with a plain flag (the doorbell as it was until tests/interleave found this),
 * FLAG_IS_FUTEX_WORD (plain, with two sleepers), RING_BEFORE_COMMIT.
 */
#ifndef SLEEPERS
#define SLEEPERS 2
#endif
#ifndef COMMITS
#define COMMITS 3
#endif
#ifndef EARLY_RETURNS
#define EARLY_RETURNS 1     /* of each sleeper */
#endif
#if defined(WATERMARK_IS_FUTEX_WORD) || defined(FLAG_IS_FUTEX_WORD)
#define PLAIN_FLAG
#endif

byte watermark = 0;
byte waiting_store = 0;     /* the waker's newest watermark, while it is in its store buffer; 0: it is not */
byte sleepers = 0;          /* the doorbell's word */
bool asleep[SLEEPERS];

#define drain() if :: waiting_store != 0 -> watermark = waiting_store; waiting_store = 0 :: else fi
#define somebody_sleeps(word) ((word) % 2 == 1)

active proctype StoreBuffer() {
end:
  do
  :: atomic { waiting_store != 0 -> watermark = waiting_store; waiting_store = 0 }
  od
}

inline futex_wake_all() {
  atomic {
    drain();
    i = 0;
    do
    :: i < SLEEPERS -> asleep[i] = false; i++
    :: else -> break
    od;
    i = 0
  }
}

inline ring_doorbell() {
#ifndef NO_FENCE_OF_WAKER
  atomic { drain() };
#endif
  word = sleepers;
  if
  :: somebody_sleeps(word) ->
#ifdef PLAIN_FLAG
    atomic { drain(); sleepers = 0 };
#else
    atomic { drain(); sleepers = sleepers + 1 };
#endif
    futex_wake_all()
  :: else
  fi
}

proctype Waker() {
  byte next = 1, word, i;
  do
  :: next <= COMMITS ->
#ifdef RING_BEFORE_COMMIT
    ring_doorbell();
    atomic { drain(); waiting_store = next };
#else
    atomic { drain(); waiting_store = next };
    ring_doorbell();
#endif
    next++
  :: else -> break
  od
}

proctype Sleeper(byte me) {
  byte seen = 0, word, early = EARLY_RETURNS, now;
  do
  :: seen < COMMITS ->
    seen = watermark;
    if
    :: seen == COMMITS -> break
    :: else
    fi;
    /* sleep_on() */
#ifdef LOOK_BEFORE_FLAG
    now = watermark;
#endif
#ifdef PLAIN_FLAG
    sleepers = 1;
    word = 1;
#else
    atomic { word = sleepers | 1; sleepers = word };
#endif
#ifndef LOOK_BEFORE_FLAG
    now = watermark;
#endif
    if
    :: now != seen
    :: else ->
      if
      :: early > 0 -> early--      /* spuriously, or by a signal */
      :: true ->
        atomic {                   /* futex_wait(): compares and falls asleep in one */
          if
#ifdef WATERMARK_IS_FUTEX_WORD
          :: watermark == seen -> asleep[me] = true
#else
          :: sleepers == word -> asleep[me] = true
#endif
          :: else
          fi
        };
        !asleep[me]
      fi
    fi
  :: else -> break
  od
}

init {
  byte s = 0;
  atomic {
    run Waker();
    do
    :: s < SLEEPERS -> run Sleeper(s); s++
    :: else -> break
    od
  }
}
