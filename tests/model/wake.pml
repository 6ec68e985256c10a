/* Sleeping and waking: one writer, one reader, one ring, one lane socket; see channel/ring.h for the words.
 *
 * What it proves: neither side sleeps for ever although there is something for it to do, and every record arrives once, whole
 * and in order, also when the ring wraps round.
 *
 * What is modelled: stores wait in a store buffer (x86-TSO: `stores_w`, `stores_r`) until they reach memory, so that a missing
 * full fence shows; a record of one or two places behind the zero header of the one before; several records published by one
 * store; the tail published lazily; both waiting words; bells in a socket that holds few; an epoll that reports edges, and bells
 * that are left lying for a while.
 *
 * What is left out: sizes in bytes (a place stands for 8 of them), spinning (it is looking once more), death (death.pml), and
 * several lanes (each has words and a bell of its own).
 *
 * Broken on purpose: NO_COMMIT_FENCE, NO_ARM_FENCE, NO_LOOK_AGAIN, NO_TAIL_FENCE, NO_ROOM_FENCE, NO_ROOM_LOOK_AGAIN, NO_DRAIN,
 * DRAIN_AFTER_ARMING, NO_ZERO_HEADER, NO_PLACE_FOR_ZERO, FIRST_HEADER_FIRST. */

#ifndef LIMIT
#define LIMIT 4      /* Places in the ring. */
#endif
#define LAZY 2       /* The reader publishes its tail when it has come so far behind it. */
#define POSITIONS (2 * LIMIT)
#define BEHIND(a, b) (((a) + POSITIONS - (b)) % POSITIONS)
/* A record's header says which place it was written for, in this round or the next, so that the reader knows an old one. */
#define HEADER(place, size) ((place) + 16 * (size))
#define GARBAGE 255  /* A payload, where a header is looked for. */
#define SOCKET 2     /* Bells that the lane socket holds. */

/* Shared memory: the data, then the words. */
#define TAIL         (LIMIT + 0)
#define READER_WAITS (LIMIT + 1)
#define WRITER_WAITS (LIMIT + 2)
byte memory[LIMIT + 3];

#ifndef STORES
#define STORES 1
#endif
chan stores_w = [STORES] of { byte, byte };
chan stores_r = [STORES] of { byte, byte };
#define FENCE_W (empty(stores_w))
#define FENCE_R (empty(stores_r))

/* The lane socket: bells that wait for either side, and whether epoll has an edge to report to the reader. */
byte bells_r;
bool edge;
bool bells_w;

/* What the model knows and the processes do not. */
bool writer_stopped; /* For good, with everything published. */
bool reader_away;    /* The user does not come back to receive. */
byte head, position; /* ring_writer.head, ring_reader.position */

active proctype flusher()
{
        byte where, what;
end:    do
        :: atomic { stores_w?where, what -> memory[where] = what; where = 0; what = 0 }
        :: atomic { stores_r?where, what -> memory[where] = what; where = 0; what = 0 }
        od
}

/* A step of the writer or the reader is one look at memory, with all that follows from it until the next: decisions, and stores,
 * which go into a buffer that nobody else sees. A step ends where a system call is made. */

active proctype writer()
{
        byte size = 0;
        byte tail = 0;      /* As read last. */
        byte first = 0;     /* Of the records that are not published, */
        byte held = 0;      /* and its header, which is stored last. */

next:   atomic {
                if
                :: held != 0 -> goto publish
                :: held == 0 -> writer_stopped = true; goto stopped
                :: size = 1
                :: size = 2
                fi
        };

reserve: /* ring_reserve() */
#ifdef NO_PLACE_FOR_ZERO
#define ROOM (BEHIND(head, tail) + size <= LIMIT)
#else
#define ROOM (BEHIND(head, tail) + size + 1 <= LIMIT) /* The zero header behind it has to fit too. */
#endif
        atomic {
                tail = memory[TAIL]; /* The cached one is an older one: it can only give less. */
                if
                :: ROOM -> goto append
                :: else
                fi;
                if
                :: held != 0 -> size = 0; tail = 0; goto publish
                :: else
                fi;
                if
                :: stores_w!WRITER_WAITS, 1; tail = 0; goto wait
                :: stores_w!WRITER_WAITS, 2 /* Does not wait, comes back: when something can have changed. */
                fi
        };
        /* Here it stays for ever when the reader is away and gave all the room that it owes. */
        if
        :: atomic { memory[TAIL] != tail || memory[WRITER_WAITS] == 0 -> tail = 0; goto reserve }
        :: atomic { reader_away && BEHIND(head, position) + size + 1 > LIMIT - (LAZY - 1) -> goto stopped }
        fi;

wait:   /* ring_writer_arm() */
        atomic {
#ifndef NO_ROOM_FENCE
                FENCE_W;
#endif
#ifndef NO_ROOM_LOOK_AGAIN
                tail = memory[TAIL];
                if
                :: ROOM -> stores_w!WRITER_WAITS, 0; goto append
                :: else -> tail = 0
                fi;
#endif
                if
                :: skip
                :: stores_w!WRITER_WAITS, 0; size = 0; goto next /* The deadline. */
                fi
        };
        if
        :: atomic { bells_w -> bells_w = false; goto reserve }     /* poll() */
        :: atomic { reader_away && BEHIND(head, position) + size + 1 > LIMIT - (LAZY - 1) -> goto stopped }
        fi;

append: /* ring_append() */
        atomic {
                if
                :: size == 2 -> stores_w!(head + 1) % LIMIT, GARBAGE
                :: else
                fi;
#ifndef NO_ZERO_HEADER
                stores_w!(head + size) % LIMIT, 0;
#endif
                if
                :: held == 0 -> first = head; held = HEADER(head, size)
#ifdef FIRST_HEADER_FIRST
                   ; stores_w!first % LIMIT, held
#endif
                :: else -> stores_w!head % LIMIT, HEADER(head, size)
                fi;
                head = (head + size) % POSITIONS;
                size = 0;
                tail = 0;
                goto next
        };

publish: /* ring_publish(), ring_takes_reader_waits() */
        atomic {
                stores_w!first % LIMIT, held;
                held = 0;
                first = 0
        };
        atomic {
#ifndef NO_COMMIT_FENCE
                FENCE_W;
#endif
                if
                :: memory[READER_WAITS] != 0
                :: else -> goto next
                fi
        };
        atomic {
                FENCE_W;
                if
                :: memory[READER_WAITS] == 1 -> memory[READER_WAITS] = 0
                :: else -> memory[READER_WAITS] = 0; goto next
                fi
        };
        atomic {
                if
                :: bells_r < SOCKET -> bells_r++; edge = true
                :: else /* EAGAIN: no edge. */
                fi;
                goto next
        };

stopped: skip
}

/* ring_publish_tail(), once the tail is on its way */
inline wake_writer()
{
        atomic {
#ifndef NO_TAIL_FENCE
                FENCE_R;
#endif
                wakes = memory[WRITER_WAITS] != 0
        };
        if
        :: atomic { wakes && FENCE_R -> wakes = memory[WRITER_WAITS] == 1; memory[WRITER_WAITS] = 0 };
           if
           :: atomic { wakes -> bells_w = true; wakes = false }
           :: !wakes
           fi
        :: !wakes
        fi
}

/* Old bells go before it is armed. One that comes later is the one that wakes it: epoll looks at the socket once more before it
 * reports an edge, and says nothing when nothing is there. */
inline drain()
{
        if
        :: armed == SOCKET - 1 -> bells_r = 0; armed = 0
        :: else
        fi;
        armed++
}

active proctype reader()
{
        byte header;
        byte published = 0;
        byte armed = 0;     /* How often, since the bells were drained. */
        bool wakes;

look:   atomic {
                header = memory[position % LIMIT];
                if
                :: header != 0 ->
                        /* ring_peek(), ring_consume() */
                        assert(header % 16 == position && header != GARBAGE);
                        position = (position + header / 16) % POSITIONS;
                        header = 0
                :: else ->
                        if
                        :: goto idle /* A user that only tries comes back, without arming. */
                        :: goto sleep
                        fi
                fi
        };
        atomic {
                if
                :: BEHIND(position, published) >= LAZY || memory[WRITER_WAITS] != 0 ->
                        published = position;
                        stores_r!TAIL, position
                :: else ->
                        if
                        :: goto look
                        :: reader_away = true; goto away
                        fi
                fi
        };
        wake_writer();
        if
        :: goto look
        :: atomic { reader_away = true; goto away }
        fi;

idle:   if
        :: atomic { memory[position % LIMIT] != 0 -> goto look }
        :: atomic { writer_stopped && head == position -> goto away }
        fi;

sleep:  atomic {
                published = position;
                stores_r!TAIL, position
        };
        wake_writer();
        atomic {
#if !defined(NO_DRAIN) && !defined(DRAIN_AFTER_ARMING)
                drain();
#endif
                stores_r!READER_WAITS, 1
        };
        atomic {
#ifndef NO_ARM_FENCE
                FENCE_R;
#endif
#ifndef NO_LOOK_AGAIN
                if
                :: memory[position % LIMIT] != 0 -> stores_r!READER_WAITS, 0; goto look
                :: else
                fi;
#endif
#ifdef DRAIN_AFTER_ARMING
        };
        atomic {
                drain();
#endif
                if
                :: skip            /* There is no deadline: only an edge wakes it. */
                :: goto woken      /* The deadline passes, at any time. */
                fi
        };
        if
        :: atomic { edge && bells_r > 0 -> edge = false }     /* epoll_wait() */
        :: atomic { writer_stopped && head == position -> goto away }
        fi;
woken:  atomic {
                if
                :: stores_r!READER_WAITS, 0
                :: skip
                fi;
                goto look
        };

away:   skip
}
