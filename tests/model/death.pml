/* Death: a sender or a receiver that is closed, or killed at any step, while they have a lane.
 *
 * What it proves: the receiver says LEAT_DISCONNECTED, always, and only when it has read everything that was committed; a message that was
 * begun and not finished is never read; a committed PACKET record has its packet; a sender learns that the receiver is gone, also when it
 * sleeps, and within POLL messages when it does not.
 *
 * What is modelled: the channel's socket with a message and the marker in it; records of a whole message, of one that is a packet on the
 * lane's socket, and of one that comes in two pieces; bells between those packets; descriptors of the dead that are closed in any
 * order; a child that the sender's process has forked. A killed process stops between any two of its steps.
 *
 * What is left out: store buffers (wake.pml). Where a process only decides, dying before is dying after: the decision is one step with
 * what it leads to.
 *
 * Broken on purpose: NO_LOOK_AFTER_END, CHANNEL_END_IS_ENOUGH, COMMIT_BEFORE_PACKET, HALF_IS_WHOLE, END_DOES_NOT_WAKE,
 * DRAIN_TAKES_PACKETS, END_GIVES_NO_ROOM, NO_POLL, CHILD_KEEPS_COPY. */

#define MESSAGES 3
#define RING 3   /* Records that the ring holds. */
#define POLL 2   /* The sender looks at the lane's socket after so many messages. */

mtype = { MESSAGE, PACKET, FIRST, LAST, ABORT };
mtype = { BELL, HANDLES, MARKER };

chan ring = [RING] of { mtype };
chan lane_socket = [10] of { mtype };  /* To the receiver. */
chan channel_socket = [2] of { mtype };
bool bell_w;                           /* To the sender. */
bool edge;                             /* epoll has one to report. */
bool reader_waits, writer_waits, reader_closed;

/* Open descriptors. */
byte lane_holders = 1, channel_holders = 1; /* Of the sending ends, */
bool lane_gone, channel_gone;               /* and the receiving ones are closed. */

bool writer_killed, writer_ended, reader_killed, forked;

/* What only the model knows: whole messages that were committed, and that were read; and sent since nobody could read them. */
byte committed, got, sent_in_vain;

#define LANE_AT_END (lane_holders == 0)
#define CHANNEL_AT_END (channel_holders == 0 && empty(channel_socket))

inline publish(kind, whole)
{
        atomic {
                ring!kind;
                committed = committed + whole;
                sent_in_vain = sent_in_vain + (lane_gone -> whole : 0);
                assert(sent_in_vain <= POLL)
        };
        if
        :: atomic { reader_waits -> reader_waits = false };
           atomic {
                if
                :: lane_gone -> goto gone /* EPIPE */
                :: else -> lane_socket!BELL; edge = true
                fi
           }
        :: else
        fi
}

/* Waits until there is room. */
inline reserve()
{
        do
        :: nfull(ring) -> break
        :: atomic { full(ring) -> writer_waits = true };
                if
                :: atomic { nfull(ring) -> writer_waits = false; break }
                :: full(ring) ->
                        if
                        :: atomic { bell_w -> bell_w = false }
#ifndef END_GIVES_NO_ROOM
                        :: lane_gone -> goto gone
#endif
                        fi
                fi
        od
}

inline send_packet()
{
        atomic {
                if
                :: lane_gone -> goto gone
                :: else -> lane_socket!HANDLES; edge = true
                fi
        }
}

active proctype writer()
{
        byte sent, since;

        {
        atomic { channel_socket!MESSAGE; committed++ };
        channel_socket!MARKER;
        do
        :: reader_closed -> goto gone
        :: atomic { sent == 1 && !forked -> forked = true; lane_holders++; channel_holders++ }
        :: atomic { !reader_closed && sent < MESSAGES ->
#ifndef NO_POLL
                if
                :: since == POLL ->
                        if
                        :: lane_gone -> goto gone
                        :: else -> since = 0
                        fi
                :: else
                fi;
#endif
                sent++;
                since++
           };
                reserve();
                if
                :: publish(MESSAGE, 1)
                :: sent < 3 ->
#ifdef COMMIT_BEFORE_PACKET
                        publish(PACKET, 1);
                        send_packet()
#else
                        send_packet();
                        publish(PACKET, 1)
#endif
                :: sent < 3 ->
                        publish(FIRST, 0);
                        reserve();
                        if
                        :: publish(LAST, 1)
                        :: publish(ABORT, 0)
                        fi
                fi
        :: break
        od;
gone:   skip
        } unless { writer_killed };

        if
        :: atomic { lane_holders--; edge = true }; channel_holders--
        :: channel_holders--; atomic { lane_holders--; edge = true }
        fi;
        writer_ended = true
}

/* Its fork handler closes its copy of the lane's socket; the channel's socket it has for as long as it likes. */
active proctype child()
{
        if
        :: forked ->
#ifndef CHILD_KEEPS_COPY
                atomic { lane_holders--; edge = true };
#endif
                channel_holders--
        :: !forked && writer_ended
        fi
}

active proctype killer()
{
        if
        :: writer_killed = true
        :: reader_killed = true
        :: skip
        fi
}

inline drain_bells()
{
#ifdef DRAIN_TAKES_PACKETS
        d_step {
                do
                :: nempty(lane_socket) -> lane_socket?_
                :: else -> break
                od
        }
#else
        d_step { /* One at a time, but it shows only when there is none left. */
                do
                :: lane_socket?[BELL] -> lane_socket?BELL
                :: else -> break
                od
        }
#endif
}

inline take()
{
        atomic {
                ring?kind;
                if
                :: kind == MESSAGE -> got++
                :: kind == PACKET ->
                        drain_bells();
                        assert(lane_socket?[HANDLES]);
                        lane_socket?HANDLES;
                        got++
#ifdef HALF_IS_WHOLE
                :: kind == FIRST -> got++
                :: kind == LAST
#else
                :: kind == FIRST /* Kept apart, until more comes. */
                :: kind == LAST -> got++
#endif
                :: kind == ABORT
                fi;
                kind = 0;
                at_end = false
        };
        if
        :: atomic { writer_waits -> writer_waits = false; bell_w = true }
        :: else
        fi
}

active proctype reader()
{
        mtype kind;
        bool open, dropped, at_end;

        {
        do
        /* The channel's socket. */
        :: atomic { nempty(channel_socket) ->
                channel_socket?kind;
                if
                :: kind == MESSAGE -> got++
                :: else -> open = true
                fi;
                kind = 0
           }

        /* The lane, while it is open, or was never opened and never will be. */
        :: atomic { !dropped && (open || CHANNEL_AT_END) -> at_end = LANE_AT_END };
                if
                :: nempty(ring) && open -> take()
#ifdef NO_LOOK_AFTER_END
                :: empty(ring) || !open ->
                        if
                        :: atomic { LANE_AT_END -> dropped = true; at_end = false }
                        :: !LANE_AT_END
                        fi
#else
                :: atomic { (empty(ring) || !open) && at_end -> dropped = true; at_end = false }
#endif
                :: atomic { (empty(ring) || !open) && !at_end -> reader_waits = true };
                        if
                        :: atomic { nempty(ring) -> reader_waits = false }
                        :: empty(ring) ->
                                drain_bells();
                                if
#ifdef END_DOES_NOT_WAKE
                                :: atomic { edge && nempty(lane_socket) -> edge = false }
#else
                                :: atomic { edge -> edge = false }
#endif
                                :: nempty(channel_socket)
                                fi;
                                reader_waits = false
                        fi
                fi

        :: CHANNEL_AT_END && (dropped
#ifdef CHANNEL_END_IS_ENOUGH
                || true
#endif
                ) -> /* LEAT_DISCONNECTED */
                assert(got == committed);
                break
        :: !reader_killed -> /* Is closed. */
                reader_closed = true;
                break
        od
        } unless { reader_killed };

        if
        :: lane_gone = true; channel_gone = true
        :: channel_gone = true; lane_gone = true
        fi
}
