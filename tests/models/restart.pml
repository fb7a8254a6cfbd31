/* A broker that is killed after any store of a round, and its successors, which may be killed too: Round::run,
 * finish, complete_known_entry (broker/sequence/round.cc), Receipts::report (broker/sequence/receipts.h), recover_journal
 * (broker/storage/recovery.cc), ProducerRegistry::adopt (broker/producers/producer_registry.cc). The order of the stores
 * is that of docs/architecture.md, "A round of the sequencer"; an append is one step, as its first checksum comes last. Producers go
 * on publishing whether a broker runs or not. The journal rolls now and then: recovery knows only what it finds behind
 * round_position.
 *
 * Proved, for a kill after any store, and after any store of the lives that follow:
 *   - what is accepted is in the journal once it is completed, and in the end: once, in its producer's order (I12, I1);
 *   - each producer is told the sequence that its event really has;
 *   - what consumers may have seen (`committed`) is never beyond the journal, and nothing seen vanishes.
 *
 * Broken variants, which this model catches: NO_DUPLICATE_SUPPRESSION, ROUND_POSITION_AFTER_APPEND,
 * COMPLETE_BEFORE_APPEND, COMMIT_BEFORE_APPEND, CONSUMED_BEFORE_COMPLETION, HEAD_BEFORE_APPEND, ROUND_BEFORE_SETTLED
 * (as it was until this model found it: a second kill, after a roll, forgot what the first broker had journaled).
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef EVENTS
#define EVENTS 2
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef ROUND
#define ROUND 2             /* tickets in a round, at most */
#endif
#define TICKETS (PRODUCERS * EVENTS)
#define entry_index(p, number) ((p) * EVENTS + (number) - 1)

/* Shared memory and disk: what a kill leaves. */
byte slots_[TICKETS + 1];   /* 0: empty; else 1 + entry index; FREE */
#define FREE 99
byte tail = 0;
byte published[PRODUCERS];
byte completion[TICKETS];   /* of each entry: its sequence */
byte arena_consumed[PRODUCERS];
byte registry_consumed[PRODUCERS];
byte registry_last[PRODUCERS];       /* last_producer_sequence */
byte inbound_head = 0;
byte round_position = 0;
byte journal[TICKETS + 2];  /* 1 + entry index, in order */
byte journaled = 0;         /* position and sequence in one */
byte committed = 0;
byte kills = 0;

#define producer_of(entry) ((entry) / EVENTS)
#define number_of(entry) ((entry) % EVENTS + 1)

proctype Producer(byte p) {
  byte number = 1;
  do
  :: number <= EVENTS ->
    atomic {
      slots_[tail] = 1 + entry_index(p, number);
      tail++;
      published[p] = number;
      number++
    }
  :: else -> break
  od;
  number = 1;
end:
  do
  :: number <= EVENTS ->                    /* each receipt is true as soon as it can be read */
    atomic {
      completion[entry_index(p, number)] != 0 ->
      assert(completion[entry_index(p, number)] <= journaled);
      assert(journal[completion[entry_index(p, number)] - 1] == 1 + entry_index(p, number));
      number++
    }
  :: else -> break
  od
}

/* One store, after which the broker may be killed. */
#define or_killed() if :: atomic { kills < KILLS -> kills++; goto killed } :: true fi

inline append() {
  d_step {
    i = 0;
    do
    :: i < staged_count -> assert(journaled < TICKETS); journal[journaled] = staged[i]; journaled++; i++
    :: else -> break
    od;
    i = 0
  }
}

/* The sequence of an entry that the journal holds behind round_position, as JournaledTail knows it; 0: unknown. */
inline find_in_tail(entry) {
  d_step {
    sequence = 0;
    i = tail_from;
    do
    :: i < tail_to ->
      if
      :: journal[i] == 1 + entry -> sequence = i + 1
      :: else
      fi;
      i++
    :: else -> break
    od;
    i = 0
  }
}

inline take_entry(entry) {
  if
  :: number_of(entry) <= lane_last[producer_of(entry)] ->
    find_in_tail(entry);                    /* complete_known_entry() */
    assert(sequence != 0);                  /* else it is refused, although it was accepted */
    done_entry[done_count] = entry; done_sequence[done_count] = sequence; done_count++
  :: else ->
    assert(number_of(entry) == lane_last[producer_of(entry)] + 1);
    staged[staged_count] = 1 + entry; staged_count++;
    done_entry[done_count] = entry; done_sequence[done_count] = journaled + staged_count; done_count++;
    lane_last[producer_of(entry)] = number_of(entry)
  fi;
  lane_next[producer_of(entry)] = number_of(entry);
  sequence = 0
}

inline complete_entries() {
  p = 0;
  do
  :: p < PRODUCERS -> registry_last[p] = lane_last[p]; p++; or_killed()
  :: else -> break
  od;
#ifdef CONSUMED_BEFORE_COMPLETION
  note_consumed();
#endif
  i = 0;
  do
  :: i < done_count ->
    atomic {
      assert(done_sequence[i] <= journaled && journal[done_sequence[i] - 1] == 1 + done_entry[i]);  /* a true receipt */
      completion[done_entry[i]] = done_sequence[i];
      i++
    };
    or_killed()
  :: else -> break
  od;
#ifndef CONSUMED_BEFORE_COMPLETION
  note_consumed();
#endif
  skip;
  d_step {
    i = 0;
    do
    :: i < done_count -> done_entry[i] = 0; done_sequence[i] = 0; i++
    :: else -> break
    od;
    done_count = 0; i = 0; p = 0
  }
}

inline note_consumed() {
  p = 0;
  do
  :: p < PRODUCERS -> registry_consumed[p] = lane_next[p]; or_killed(); arena_consumed[p] = lane_next[p]; p++; or_killed()
  :: else -> break
  od;
  p = 0
}

/* What the last broker had journaled and not completed is completed before round_position moves past it. */
inline settle_tail() {
  p = 0;
  do
  :: p < PRODUCERS ->
    do
    :: lane_next[p] < lane_last[p] -> slot = 1 + entry_index(p, lane_next[p] + 1); take_entry(slot - 1)
    :: else -> break
    od;
    p++
  :: else -> break
  od;
  complete_entries();
  tail_to = tail_from;
  slot = 0
}

inline free_slots() {
  i = inbound_head_;
  do
  :: i < ticket -> slots_[i] = FREE; i++; or_killed()
  :: else -> break
  od;
  i = 0
}

proctype Broker() {
  byte lane_last[PRODUCERS], lane_next[PRODUCERS];
  byte staged[ROUND + 1], done_entry[TICKETS], done_sequence[TICKETS];
  byte staged_count, done_count, tail_from, tail_to, inbound_head_, ticket, slot, sequence, i, p;
killed:
  skip;
  /* A successor: recovery, then adoption. Its own memory is new. */
  d_step {
    staged_count = 0; done_count = 0; sequence = 0; i = 0; ticket = 0; slot = 0;
    do :: i <= ROUND -> staged[i] = 0; i++ :: else -> break od;
    i = 0;
    do :: i < TICKETS -> done_entry[i] = 0; done_sequence[i] = 0; i++ :: else -> break od;
    tail_from = round_position;
    tail_to = journaled;
    inbound_head_ = inbound_head;
    p = 0;
    do
    :: p < PRODUCERS -> lane_last[p] = registry_last[p]; lane_next[p] = registry_consumed[p]; p++
    :: else -> break
    od;
#ifdef NO_DUPLICATE_SUPPRESSION
    tail_to = tail_from;
#endif
    i = tail_from;
    do
    :: i < tail_to ->
      p = producer_of(journal[i] - 1);
      if
      :: number_of(journal[i] - 1) > lane_last[p] -> lane_last[p] = number_of(journal[i] - 1)
      :: else
      fi;
      i++
    :: else -> break
    od;
    i = 0; p = 0
  };
  assert(committed <= journaled);           /* else what was seen has vanished */
  committed = journaled;
end:
  do
  :: slots_[inbound_head_] != 0 ->
    /* begin_round() */
#ifndef ROUND_BEFORE_SETTLED
    if
    :: tail_to != tail_from -> settle_tail()
    :: else
    fi;
#endif
#ifndef ROUND_POSITION_AFTER_APPEND
    round_position = journaled;
    or_killed();
#endif
    ticket = inbound_head_;
    do
    :: ticket < inbound_head_ + ROUND && slots_[ticket] != 0 ->
      slot = slots_[ticket];
      if
      :: slot == FREE                                          /* freed by a predecessor */
      :: slot != FREE && number_of(slot - 1) <= lane_next[producer_of(slot - 1)]   /* below `consumed`: passed over */
      :: else -> take_entry(slot - 1)
      fi;
      ticket++;
      slot = 0
    :: ticket == inbound_head_ + ROUND || slots_[ticket] == 0 -> break
    od;
    /* Round::finish() */
#ifdef HEAD_BEFORE_APPEND
    inbound_head = ticket;
    or_killed();
#endif
#ifdef COMMIT_BEFORE_APPEND
    committed = journaled + staged_count;
    or_killed();
#endif
#ifdef COMPLETE_BEFORE_APPEND
    i = 0;
    do
    :: i < done_count -> completion[done_entry[i]] = done_sequence[i]; i++; or_killed()
    :: else -> break
    od;
#endif
    skip;
    append();
    or_killed();
#ifdef ROUND_POSITION_AFTER_APPEND
    round_position = journaled;
    or_killed();
#endif
    d_step { i = 0; do :: i <= ROUND -> staged[i] = 0; i++ :: else -> break od; staged_count = 0; i = 0 };
    committed = journaled;
    or_killed();
    complete_entries();
    free_slots();
    inbound_head = ticket;
    or_killed();
    inbound_head_ = ticket;
    ticket = 0
  od
}

active proctype AtRest() {
  byte e = 0, i, found;
  timeout;
  do
  :: e < TICKETS ->
    d_step {
      found = 0;
      i = 0;
      do
      :: i < journaled -> if :: journal[i] == 1 + e -> found++ :: else fi; i++
      :: else -> break
      od
    };
    assert(found == 1);                     /* neither lost nor repeated */
    assert(completion[e] != 0);             /* and its producer knows */
    assert(journal[completion[e] - 1] == 1 + e);
    e++
  :: else -> break
  od;
  assert(committed == journaled)
}

/* In each producer's order, at every moment. */
active proctype Consumer() {
  byte position = 0, entry;
  byte last[PRODUCERS];
end:
  do
  :: atomic {
       position < committed ->
       assert(position < journaled);        /* nobody sees what is not in the journal */
       entry = journal[position] - 1;
       assert(number_of(entry) == last[producer_of(entry)] + 1);
       last[producer_of(entry)] = number_of(entry);
       position++;
       entry = 0
     }
  od
}

init {
  byte p = 0;
  atomic {
    run Broker();
    do
    :: p < PRODUCERS -> run Producer(p); p++
    :: else -> break
    od
  }
}
