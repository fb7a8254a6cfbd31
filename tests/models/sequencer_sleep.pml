/* How the sequencer falls asleep and is woken: InboundProducer::fill, wake_sequencer and InboundConsumer::prepare_sleep,
 * still_empty, taken, sleep in shm/ingest/inbound_ring.h, Sequencer::idle in broker/sequence/sequencer.cc, and
 * InboundRepair::try_skip in broker/sequence/inbound_repair.cc.
 * The swap of a slot, `sleeping` and the tail are sequentially consistent in the code, and steps here; what would be
 * permitted if they were not is a variant. Producers may die while they hold a ticket. The long sleep has no time-out
 * here; the short one, while a ticket is open, has.
 *
 * Proved: when nobody can do anything any more, no slot is filled: no event waits for the time-out of the long sleep, not
 * even behind the ticket of a producer that has died (I5); and the short sleep never has to end an event's wait.
 *
 * Not so: a producer that dies between its swap and its wake-up (docs/adr/0012-waking-the-sequencer.md).
 *
 * Broken variants, which this model catches: SLOT_BEFORE_SLEEPING (the sequencer's store passes its look),
 * SLEEPING_BEFORE_SWAP (the producer's look passes its swap), NO_LOOK_AGAIN, TAIL_BEFORE_SLEEPING (as it was until
 * tests/interleave found it: whether a ticket is open was looked at before `sleeping` was set).
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef EVENTS
#define EVENTS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef SKIPS
#define SKIPS 1             /* of tickets whose producers live */
#endif
#define TICKETS (PRODUCERS * EVENTS + SKIPS + DEATHS)
#define EMPTY 0
#define FULL 1
#define FREE 2              /* taken or skipped: EMPTY of the next lap */

byte tail = 0;
byte sleeping = 0;
bool asleep = false;
byte slots_[TICKETS + 1];   /* each ticket has its own here: laps are the other model's matter */
byte deaths = 0;
byte dead_ticket = 255;
byte live_skips = 0;

proctype Producer() {
  byte number = 0, ticket, seen;
  do
  :: number < EVENTS ->
again:
    atomic { ticket = tail; tail++ };
    if
    :: atomic { deaths < DEATHS -> deaths++; dead_ticket = ticket; goto dead }
    :: true
    fi;
#ifdef SLEEPING_BEFORE_SWAP
    seen = sleeping;
#endif
    if
    :: atomic { slots_[ticket] == EMPTY -> slots_[ticket] = FULL }
    :: atomic { slots_[ticket] == FREE -> goto again }
    fi;
#ifndef SLEEPING_BEFORE_SWAP
    seen = sleeping;
#endif
    if
    :: seen != 0 ->
      atomic { seen = sleeping; sleeping = 0 };
      if
      :: seen != 0 -> asleep = false   /* futex_wake() */
      :: else
      fi
    :: else
    fi;
    number++
  :: else -> break
  od;
dead:
  skip
}

proctype Sequencer() {
  byte head_ = 0, now;
  bool ticket_open;
  do
  :: now = slots_[head_];
    if
    :: now == FULL -> slots_[head_] = FREE; head_++
    :: else ->
      /* idle(): try_skip() */
      ticket_open = (tail > head_);
      if
      :: ticket_open && (head_ == dead_ticket || live_skips < SKIPS) ->
        if
        :: atomic {
             slots_[head_] == EMPTY ->
             slots_[head_] = FREE;
             if :: head_ != dead_ticket -> live_skips++ :: else fi;
             head_++
           };
           goto looked
        :: true                        /* it has not been open for long */
        fi
      :: else
      fi;
#ifdef SLOT_BEFORE_SLEEPING
      now = slots_[head_];
#endif
      sleeping = 1;                    /* prepare_sleep() */
#ifndef SLOT_BEFORE_SLEEPING
      now = slots_[head_];             /* still_empty() */
#endif
#ifdef NO_LOOK_AGAIN
      now = EMPTY;
#endif
      if
      :: now != EMPTY -> sleeping = 0  /* cancel_sleep() */
      :: else ->
#ifndef TAIL_BEFORE_SLEEPING
        ticket_open = (tail > head_);  /* taken() */
#endif
        atomic {
          if
          :: sleeping == 1 -> asleep = true
          :: else
          fi
        };
        if
        :: ticket_open ->
          if
          :: !asleep
          :: timeout -> assert(slots_[head_] != FULL); asleep = false  /* skip_wait_us has passed, and nobody moves */
          fi
        :: else ->
          if
          :: !asleep
          :: timeout ->                /* the end */
            head_ = 0;
            do
            :: head_ < TICKETS -> assert(slots_[head_] != FULL); head_++
            :: else -> break
            od;
            break
          fi
        fi;
        sleeping = 0
      fi
    fi;
looked:
    skip
  od
}

init {
  byte p = 0;
  atomic {
    run Sequencer();
    do
    :: p < PRODUCERS -> run Producer(); p++
    :: else -> break
    od
  }
}
