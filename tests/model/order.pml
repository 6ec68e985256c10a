/* Order across the channel's socket and the lanes: offer, answer, marker and barrier.
 *
 * What it proves: each sender's messages arrive in the order they were sent, and those of one lineage too (what the original sent
 * before it was cloned, forked or handed on comes before whatever the new sender sends); none is lost or doubled; a barrier that lies
 * ends the lane it names and nothing else; the receiver gets to the end.
 *
 * What is modelled: the channel's socket, one queue for all senders; an original sender and two more that come from it or from
 * each other as clones, forked children or by being handed on, two of them with a lane of their own if they want one and the
 * receiver accepts; a stranger who knows the lanes' names and puts one lie into the socket.
 *
 * What is left out: sleeping and waking (wake.pml); dying in the middle of something (death.pml): whoever ends here has finished what
 * it was doing; records of several kinds, they are all messages here.
 *
 * Broken on purpose: READ_BEFORE_MARKER, NO_BARRIER_OF_CLONE, NO_BARRIER_OF_CLONES_CLONE, NO_BARRIER_HANDING_ON,
 * NO_PENDING_HANDING_ON, MARKER_BEFORE_BARRIER, DROPS_ACCEPTED, LIE_WAITED_FOR, LIE_ENDS_ALL. */

#ifndef SENDERS
#define SENDERS 3
#endif
#define MESSAGES(n) ((n) == 0 -> 2 : 1) /* Of each sender, at the most. */
#define SOCKET 2   /* Packets that the channel's socket holds. */
#define RING 2     /* Messages that a ring holds. */
#define NOBODY 7
#define LIE 3      /* A position that no lane gets to. */

mtype = { MESSAGE, OFFER, MARKER, BARRIER };
mtype = { NONE, OFFERED, OPEN, ENDED };
mtype = { NO_ANSWER, ACCEPTED, REFUSED };

/* The channel's socket: what it is, the sender (of a barrier: the lane), the number (of a barrier: the position). */
chan socket = [SOCKET] of { mtype, byte, byte };
byte holders = 2;          /* Of its sending end: the original sender, the stranger. */
byte most;                 /* Senders there are, at the most. */

/* A sender's lane has its number. Shared: */
byte committed[SENDERS];   /* The writer's position, */
byte consumed[SENDERS];    /* the reader's, */
byte base[SENDERS];        /* and the number of the message at position 0. */
mtype answer[SENDERS] = NO_ANSWER;
bool writer_gone[SENDERS]; /* The lane's socket hung up, by the sender, */
bool reader_gone[SENDERS]; /* or by the receiver. */

/* What a sender takes over from the one it comes from. */
bool started[SENDERS];
byte barrier_lane[SENDERS] = NOBODY;
byte barrier_position[SENDERS];

/* What only the model knows. */
byte next = 1;             /* The sender that is made next. */
byte sent[SENDERS];
byte got[SENDERS];
byte before[SENDERS * SENDERS]; /* [a * SENDERS + b]: so many messages of b come before the first of a. */
byte lie = NOBODY;         /* The lane about which there was a lie, */
bool lie_counts;           /* behind its marker. */
bool marked;               /* The original sender's lane has one. */

/* The new sender comes after all that the old one comes after, and after what that has sent. */
inline descend(new, old)
{
        before[new * SENDERS + 0] = before[old * SENDERS + 0];
        before[new * SENDERS + 1] = before[old * SENDERS + 1];
        before[new * SENDERS + old] = sent[old];
        started[new] = true
}

/* Puts the barrier that this sender owes into the socket. */
inline flush(me)
{
        socket!BARRIER, barrier_lane[me], barrier_position[me];
        barrier_lane[me] = NOBODY;
        barrier_position[me] = 0
}

#define OWES(me) (barrier_lane[me] != NOBODY)

inline send_on_socket(me)
{
        atomic { socket!MESSAGE, me, sent[me]; sent[me]++ }
}

inline open_lane(me)
{
        atomic {
                socket!MARKER, me, 0;
                lane = OPEN;
                answer[me] = NO_ANSWER;
                base[me] = sent[me];
#ifndef MARKER_BEFORE_BARRIER
                marked = marked || me == 0
#endif
        }
}

/* A step is a decision with the first packet or record that follows from it: who has decided and cannot go on is stuck. */
active [SENDERS] proctype sender()
{
        mtype lane = NONE;

        atomic { most != 0 && (_pid == 0 || started[_pid] || holders == 0);
                if
                :: _pid != 0 && !started[_pid] -> goto unborn
                :: else
                fi
        };

        do
        :: atomic { sent[_pid] < MESSAGES(_pid) && lane == OPEN ->
                if
                :: !reader_gone[_pid] && committed[_pid] - consumed[_pid] < RING ->
                        committed[_pid]++;
                        sent[_pid]++
                :: reader_gone[_pid] -> break /* LEAT_DISCONNECTED */
                fi
           }
        :: atomic { sent[_pid] < MESSAGES(_pid) && lane != OPEN && !OWES(_pid) -> send_on_socket(_pid) }
        :: atomic { sent[_pid] < MESSAGES(_pid) && lane != OPEN && OWES(_pid) -> flush(_pid) };
           send_on_socket(_pid)

        :: atomic { lane == NONE && _pid < 2 -> socket!OFFER, _pid, 0; lane = OFFERED }
        :: atomic { lane == OFFERED && answer[_pid] == REFUSED -> lane = ENDED; answer[_pid] = NO_ANSWER }
#ifdef MARKER_BEFORE_BARRIER
        :: atomic { lane == OFFERED && answer[_pid] == ACCEPTED -> open_lane(_pid) }
#else
        :: atomic { lane == OFFERED && answer[_pid] == ACCEPTED && !OWES(_pid) -> open_lane(_pid) }
        :: atomic { lane == OFFERED && answer[_pid] == ACCEPTED && OWES(_pid) -> flush(_pid) };
           open_lane(_pid)
#endif

        :: atomic { next < most -> /* Is cloned, or its process forks. */
                if
                :: lane == OPEN ->
#ifndef NO_BARRIER_OF_CLONE
                        barrier_lane[next] = _pid;
                        barrier_position[next] = committed[_pid]
#endif
                :: else ->
#ifndef NO_BARRIER_OF_CLONES_CLONE
                        barrier_lane[next] = barrier_lane[_pid];
                        barrier_position[next] = barrier_position[_pid]
#endif
                fi;
                holders++;
                descend(next, _pid);
                next++
           }

        :: atomic { next < most -> /* Is handed on. */
                if
#ifndef NO_PENDING_HANDING_ON
                :: OWES(_pid) -> flush(_pid)
#endif
#ifndef NO_BARRIER_HANDING_ON
                :: lane == OPEN -> socket!BARRIER, _pid, committed[_pid]
#endif
                :: else
                fi
           };
           atomic {
                if
                :: next < most -> holders++; descend(next, _pid); next++; break
                :: else /* Somebody else made the last one in between: it was not handed on after all. */
                fi
           }

        :: break /* Is closed. */
        od;

        atomic {
                lane = NONE;
                barrier_lane[_pid] = NOBODY;
                barrier_position[_pid] = 0;
                holders--;
                if
                :: _pid == 0 && lie_counts -> reader_gone[_pid] /* The liar's friend keeps its lane for as long as it can. */
                :: else -> writer_gone[_pid] = true
                fi
        };
unborn: skip
}

active proctype stranger()
{
        /* With three senders there is no lie, or there would be more states than can be searched. */
        if
        :: atomic { most = 2; holders = 2 };
           atomic { socket!BARRIER, 0, LIE; lie = 0; lie_counts = marked; holders-- }
        :: atomic { most = SENDERS; holders = 1 }
        fi
}

#define KNOWN(n) (lane[n] == OFFERED || lane[n] == OPEN)
#define EMPTY(n) (committed[n] == consumed[n])
#ifdef READ_BEFORE_MARKER
#define READABLE(n) KNOWN(n)
#else
#define READABLE(n) (lane[n] == OPEN)
#endif
#ifdef DROPS_ACCEPTED
#define DROPPABLE(n) (KNOWN(n) && writer_gone[n] && (EMPTY(n) || lane[n] == OFFERED))
#else
/* One that is accepted and has something in it has a marker in the socket. */
#define DROPPABLE(n) (KNOWN(n) && writer_gone[n] && EMPTY(n))
#endif
#define COMPLETE(a, b) (got[b] >= before[(a) * SENDERS + (b)] || lie == b)

inline receive(from, number)
{
        assert(number == got[from]);
        assert(COMPLETE(from, 0) && COMPLETE(from, 1));
        got[from]++
}

inline read_lane(n)
{
        consumed[n]++;
        receive(n, base[n] + consumed[n] - 1)
}

inline end_lane(n)
{
        lane[n] = ENDED;
        reader_gone[n] = true;
        base[n] = 0;
        committed[n] = 0;
        consumed[n] = 0
}

active proctype receiver()
{
        mtype lane[SENDERS] = NONE;
        byte wanted_lane = NOBODY;
        byte wanted_position;
        mtype kind;
        byte from, number;

        do
        :: atomic { wanted_lane == NOBODY && nempty(socket) ->
                socket?kind, from, number;
                if
                :: kind == MESSAGE -> receive(from, number)
                :: kind == OFFER ->
                        if
                        :: lane[from] = OFFERED; answer[from] = ACCEPTED
                        :: lane[from] = ENDED; answer[from] = REFUSED; reader_gone[from] = true
                        fi
                :: kind == MARKER ->
                        if
                        :: lane[from] == OFFERED -> lane[from] = OPEN
                        :: else
                        fi
                :: kind == BARRIER ->
                        if
                        :: lane[from] == OPEN && consumed[from] < number -> wanted_lane = from; wanted_position = number
                        :: else
                        fi
                fi;
                kind = NONE; from = 0; number = 0
           }
        :: atomic { READABLE(0) && !EMPTY(0) -> read_lane(0) }
        :: atomic { READABLE(1) && !EMPTY(1) -> read_lane(1) }
        :: atomic { DROPPABLE(0) -> end_lane(0) }
        :: atomic { DROPPABLE(1) -> end_lane(1) }
        :: atomic { wanted_lane != NOBODY && (lane[wanted_lane] != OPEN || consumed[wanted_lane] >= wanted_position) ->
                wanted_lane = NOBODY;
                wanted_position = 0
           }
#ifndef LIE_WAITED_FOR
        :: atomic { wanted_lane != NOBODY && lane[wanted_lane] == OPEN && consumed[wanted_lane] < wanted_position && EMPTY(wanted_lane) ->
#ifdef LIE_ENDS_ALL
                end_lane(0);
                end_lane(1);
#endif
                end_lane(wanted_lane)
           }
#endif
        :: atomic { holders == 0 && empty(socket) && wanted_lane == NOBODY && lane[0] != OPEN && lane[1] != OPEN ->
                break
           }
        od;

        /* LEAT_DISCONNECTED */
        assert(got[0] == sent[0] || lie == 0);
        assert(got[1] == sent[1] || lie == 1);
        assert(got[2] == sent[2])
}
