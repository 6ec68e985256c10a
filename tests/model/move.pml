/* A receiver that moves to another process, or whose process forks, while its sender goes on.
 *
 * What it proves: whoever receives then gets every message once and in order; the sender is not left asleep, and is told that
 * the receiver is gone only when it is; of parent and child exactly one goes on.
 *
 * What is modelled: one sender with messages on the channel's socket, an offer, a marker, messages in the lane, a barrier, and one more
 * message behind it; a receiver that sleeps; a bundle that is sent, fails to be sent, arrives, or is dropped with its message; two
 * processes that claim the lane by compare-exchange.
 *
 * What is left out: store buffers (wake.pml), dying (death.pml), and a fork in the middle of a receive, by another thread.
 *
 * Broken on purpose: NO_LOOK_ON_ARRIVAL, FORGETS_BARRIER, FORGETS_OFFERED, CLOSES_WHEN_MOVED, CHANGES_BEFORE_SENDING,
 * PARENT_DOES_NOT_CLAIM, CLAIMS_WITHOUT_EXCHANGE, LOSER_CLOSES. */

#define RING 2       /* Messages that the ring holds. */
#define IN_LANE 3    /* Messages, after the one on the socket, and before the last one on it. */

mtype = { MESSAGE, OFFER, MARKER, BARRIER };
mtype = { NONE, OFFERED, OPEN };

chan socket = [2] of { mtype, byte };
chan carrier = [1] of { mtype, byte, byte }; /* The lane's state, position, the barrier. */

/* Shared memory. */
byte committed, tail, owner;
bool reader_waits, writer_waits, reader_closed;

bool accepted, bell_r, bell_w;
byte receivers = 1;  /* Who holds the receiving ends: processes, and the bundle on its way. */
bool writer_gone;

/* Of both processes that may receive: 0 at first, 1 after a move or a fork. */
bool active_[2], edge[2], claims[2];
mtype lane[2] = NONE;
byte position[2], barrier[2];
bool changed;        /* Moved or forked: once is enough. */

byte got;            /* What only the model knows. */

inline receive(number)
{
        assert(number == got);
        got++
}

inline put(kind, value)
{
        if
        :: socket!kind, value
        :: receivers == 0 || reader_closed -> goto gone
        fi
}

active proctype writer()
{
        put(MESSAGE, 0);
        put(OFFER, 0);
        if
        :: accepted
        :: receivers == 0 || reader_closed -> goto gone
        fi;
        put(MARKER, 0);
        do
        :: reader_closed -> goto gone
        :: !reader_closed && committed == IN_LANE -> break
        :: !reader_closed && committed < IN_LANE && committed - tail < RING ->
                committed++;
                if
                :: atomic { reader_waits -> reader_waits = false }; atomic { bell_r = true; edge[0] = true; edge[1] = true }
                :: else
                fi
        :: !reader_closed && committed < IN_LANE && committed - tail >= RING ->
                writer_waits = true;
                if
                :: committed - tail < RING -> writer_waits = false
                :: else ->
                        if
                        :: atomic { bell_w -> bell_w = false }
                        :: receivers == 0 -> goto gone
                        fi
                fi
        od;
        put(BARRIER, IN_LANE);
        put(MESSAGE, IN_LANE + 1);
        goto done;

gone:   assert(receivers == 0); /* LEAT_DISCONNECTED */
done:   writer_gone = true
}

inline publish_tail(me)
{
        tail = position[me];
        if
        :: atomic { writer_waits -> writer_waits = false; bell_w = true }
        :: else
        fi
}

#define CAN_READ(me) (lane[me] == OPEN && position[me] < committed)
#define CAN_TAKE(me) (barrier[me] <= position[me] && len(socket) > 0)
#define IS_DONE(me)  (writer_gone && len(socket) == 0 && !(lane[me] == OPEN && position[me] < committed))

active [2] proctype reader()
{
        byte me, seen, kind, value;

        me = _pid - 1; /* The writer is 0. */
        if
        :: atomic { me == 0 -> active_[0] = true }
        :: me == 1 && active_[1]
        :: atomic { me == 1 && len(carrier) == 1 ->
                if
                :: carrier?lane[1], position[1], barrier[1]; active_[1] = true; edge[1] = bell_r
                :: carrier?_, _, _; receivers--; goto stopped /* Dropped with its message. */
                fi
           }
#ifdef NO_LOOK_ON_ARRIVAL
           if
           :: lane[1] == OPEN ->
                if
                :: edge[1] || CAN_TAKE(1) || writer_gone || receivers == 0
                fi
           :: else
           fi
#endif
        :: me == 1 && receivers == 0 -> goto stopped
        fi;

look:   if
        :: claims[me] ->
#ifdef CLAIMS_WITHOUT_EXCHANGE
                seen = owner;
                if
                :: seen == 0 -> owner = me + 1; claims[me] = false
                :: else -> goto lost
                fi
#else
                atomic {
                        if
                        :: owner == 0 -> owner = me + 1; claims[me] = false
                        :: else -> goto lost
                        fi
                }
#endif
        :: else
        fi;

        if
        :: atomic { CAN_TAKE(me) ->
                socket?kind, value;
                if
                :: kind == MESSAGE -> receive(value)
                :: kind == OFFER -> lane[me] = OFFERED; accepted = true
                :: kind == MARKER && lane[me] == OFFERED -> lane[me] = OPEN
                :: kind == MARKER && lane[me] != OFFERED
                :: kind == BARRIER && lane[me] == OPEN -> barrier[me] = value
                :: kind == BARRIER && lane[me] != OPEN
                fi;
                kind = 0; value = 0
           }
        :: atomic { CAN_READ(me) -> position[me]++; receive(position[me]) };
           if
           :: publish_tail(me)
           :: !writer_waits /* Lazily. */
           fi
        :: !CAN_TAKE(me) && !CAN_READ(me) && !IS_DONE(me) -> goto sleep
        :: atomic { IS_DONE(me) -> receivers--; assert(got == IN_LANE + 2); goto stopped }

        :: atomic { !changed && me == 0 -> changed = true }; /* Moves. */
           publish_tail(me);
           value = lane[me];
#ifdef CHANGES_BEFORE_SENDING
           lane[me] = NONE;
#endif
           if
           :: atomic {
                receivers++;
#ifdef FORGETS_OFFERED
                if
                :: value == OFFERED -> value = NONE
                :: else
                fi;
#endif
#ifdef FORGETS_BARRIER
                carrier!value, position[me], 0
#else
                carrier!value, position[me], barrier[me]
#endif
              };
#ifdef CLOSES_WHEN_MOVED
              reader_closed = true;
#endif
              receivers--;
              goto stopped
           :: value = 0 /* It was not sent, and nothing has changed. */
           fi

        :: atomic { !changed && me == 0 && lane[0] != NONE -> /* Its process forks. */
                changed = true;
                lane[1] = lane[0];
                position[1] = position[0];
                barrier[1] = barrier[0];
                active_[1] = true;
                edge[1] = bell_r;
                claims[1] = true;
#ifndef PARENT_DOES_NOT_CLAIM
                claims[0] = true;
#endif
                receivers++
           }
        fi;
        goto look;

sleep:  if
        :: lane[me] == OPEN ->
                publish_tail(me);
                reader_waits = true;
                if
                :: CAN_READ(me) -> reader_waits = false
                :: else ->
                        if
                        :: atomic { edge[me] -> edge[me] = false; bell_r = false }
                        :: CAN_TAKE(me) -> reader_waits = false
                        :: writer_gone
                        fi
                fi
        :: else ->
                if
                :: CAN_TAKE(me)
                :: writer_gone
                fi
        fi;
        goto look;

lost:   /* -EBUSY, from now on; it is closed. */
#ifdef LOSER_CLOSES
        reader_closed = true;
#endif
        receivers--;
stopped: skip
}
