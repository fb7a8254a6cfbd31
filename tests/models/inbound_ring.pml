/* The inbound ring: shm/ingest/inbound_ring.h (InboundProducer, InboundConsumer) and the tickets' way in
 * broker/sequence/round.cc (run) and inbound_repair.cc (try_skip). Producers claim, die, stall (stand still while the
 * others go round), are skipped, retry, and meet later laps. Order of memory is not modelled here: every step below is a swap, or ordered
 * by one; tests/interleave runs the code under weak memory.
 *
 * Proved, for all interleavings within the bounds:
 *   - nothing that publish() has returned for is lost, and nothing is taken twice or out of its producer's order (I4);
 *   - what had returned before another began is taken before it (I6);
 *   - one of a fill and a skip wins: skips = refused fills + tickets whose producers died (I4);
 *   - a ticket never meets a slot of an earlier lap: the margin of has_room() holds;
 *   - dead and standing producers hold up nobody: no end but the one where all is taken (I5).
 *
 * Broken variants, which this model catches: SKIP_WITHOUT_SWAP, FILL_WITHOUT_SWAP, RETRY_REUSES_TICKET, LAP_OF_ONE_BIT,
 * NO_MARGIN, NO_SKIP.
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef SLOTS
#define SLOTS 4
#endif
#ifndef EVENTS
#define EVENTS 2          /* of each producer */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef SKIPS
#define SKIPS 2           /* of tickets whose producers live: bounds how often they retry */
#endif
#ifndef MARGIN
#define MARGIN PRODUCERS  /* max_producers */
#endif
#ifdef NO_MARGIN
#undef MARGIN
#define MARGIN 0
#endif

#define limit_ (SLOTS - MARGIN)
#define lap_of(ticket) ((ticket) / SLOTS)
#ifdef LAP_OF_ONE_BIT
#define empty_slot(lap) (((lap) % 2) * 2)
#else
#define empty_slot(lap) ((lap) * 2)
#endif
#define is_full(slot) ((slot) % 2 == 1)
#define lap_of_empty(slot) ((slot) / 2)
#define full_slot(producer, number) (1 + 2 * ((producer) * 8 + (number)))
#define producer_of(slot) (((slot) / 2) / 8)
#define number_of(slot) (((slot) / 2) % 8)
#ifdef NO_SKIP
#define may_skip(ticket) false
#else
#define may_skip(ticket) ((ticket) == dead_ticket || live_skips < SKIPS)
#endif
#define before_index(producer, number, q) (((producer) * EVENTS + (number) - 1) * PRODUCERS + (q))

byte tail = 0;              /* next ticket to take */
byte head = 0;              /* published: tickets below are done with */
byte slots_[SLOTS];         /* EMPTY(lap) or FULL */

byte returned[PRODUCERS];   /* publishes that have returned */
byte taken[PRODUCERS];      /* newest event that the sequencer has taken */
byte before[PRODUCERS * EVENTS * PRODUCERS];  /* how many of q's had returned when p's publish of `number` began */
byte ended = 0;
byte skipped_tickets = 0;
byte refused = 0;
byte died_open = 0;         /* producers that died between take_ticket() and fill() */
byte deaths = 0;
byte live_skips = 0;
byte dead_ticket = 255;     /* of the producer that died last with one open; the model's eye, not the code's */

inline begin_publish(p) {
  d_step {
    q = 0;
    do
    :: q < PRODUCERS -> before[before_index(p, number, q)] = returned[q]; q++
    :: else -> break
    od;
    q = 0
  }
}

proctype Producer(byte p) {
  byte number = 1, ticket, cached_head = 0, found, q;
  do
  :: number > EVENTS -> break
  :: else ->
    begin_publish(p);
again:
    /* has_room(): a look at head only when the cached one says full; would_block waits for it to move */
    if
    :: tail - cached_head < limit_
    :: else -> atomic { tail - head < limit_ -> cached_head = head }; goto again
    fi;
    /* take_ticket() */
    atomic { ticket = tail; tail++ }
retry:
    if
    :: atomic { deaths < DEATHS -> deaths++; died_open++; dead_ticket = ticket; goto dead }
    :: skip
    fi;
    /* fill() */
#ifdef FILL_WITHOUT_SWAP
    found = slots_[ticket % SLOTS];
    if
    :: found == empty_slot(lap_of(ticket)) -> slots_[ticket % SLOTS] = full_slot(p, number)
    :: else -> refused++; goto again
    fi;
#else
    atomic {
      found = slots_[ticket % SLOTS];
      if
      :: found == empty_slot(lap_of(ticket)) -> slots_[ticket % SLOTS] = full_slot(p, number)
      :: else ->
        refused++;
#ifdef RETRY_REUSES_TICKET
        if
        :: !is_full(found) -> ticket = lap_of_empty(found) * SLOTS + ticket % SLOTS; goto retry
        :: else -> goto again
        fi
#elif !defined(LAP_OF_ONE_BIT)
        assert(is_full(found) || lap_of_empty(found) > lap_of(ticket));  /* else Fill::overrun: the margin was broken */
        goto again
#else
        goto again
#endif
      fi
    };
#endif
    atomic { returned[p] = number; number++ }
  od;
dead:
  ended++
}

/* The order in which entries are taken is their sequence. */
inline take(slot) {
  d_step {
    assert(producer_of(slot) < PRODUCERS);
    assert(number_of(slot) == taken[producer_of(slot)] + 1);  /* once, and in its producer's order */
    q = 0;
    do
    :: q < PRODUCERS ->
      assert(taken[q] >= before[before_index(producer_of(slot), number_of(slot), q)]);  /* I6 */
      before[before_index(producer_of(slot), number_of(slot), q)] = 0;
      q++
    :: else -> break
    od;
    taken[producer_of(slot)] = number_of(slot);
    q = 0
  }
}

inline count_skip() {
  d_step {
    skipped_tickets++;
    if
    :: head_ != dead_ticket -> live_skips++
    :: else -> dead_ticket = 255
    fi
  }
}

proctype Sequencer() {
  byte head_ = 0, slot, q;
  do
  :: slot = slots_[head_ % SLOTS];  /* peek() */
    if
    :: is_full(slot) ->
      take(slot);
      slots_[head_ % SLOTS] = empty_slot(lap_of(head_) + 1);  /* release() */
      head_++;
      head = head_                                            /* publish_head() */
    :: slot == empty_slot(lap_of(head_)) && tail != head_ && may_skip(head_) ->  /* taken(), then skip() */
#ifdef SKIP_WITHOUT_SWAP
      slots_[head_ % SLOTS] = empty_slot(lap_of(head_) + 1);
      count_skip();
      head_++;
      head = head_
#else
      if
      :: atomic {
           slots_[head_ % SLOTS] == empty_slot(lap_of(head_)) ->
           slots_[head_ % SLOTS] = empty_slot(lap_of(head_) + 1);
           count_skip()
         };
         head_++;
         head = head_
      :: slots_[head_ % SLOTS] != empty_slot(lap_of(head_))
      fi
#endif
    :: slot == empty_slot(lap_of(head_)) && tail != head_ ->  /* it may be filled yet */
      (slots_[head_ % SLOTS] != empty_slot(lap_of(head_)) || may_skip(head_))
    :: slot == empty_slot(lap_of(head_)) && tail == head_ ->
      if
      :: atomic { ended == PRODUCERS && tail == head_ -> break }
      :: atomic { tail != head_ -> skip }
      fi
    :: !is_full(slot) && slot != empty_slot(lap_of(head_)) -> assert(false)  /* a bad ticket, among honest producers */
    fi
  od;
  skip;
  d_step {
    q = 0;
    do
    :: q < PRODUCERS -> assert(taken[q] >= returned[q]); q++
    :: else -> break
    od;
    assert(skipped_tickets == refused + died_open)
  }
}

init {
  byte p = 0;
  atomic {
    run Sequencer();
    do
    :: p < PRODUCERS -> run Producer(p); p++
    :: else -> break
    od
  }
}
