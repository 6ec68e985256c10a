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
 * NO_ZERO_HEADER, NO_PLACE_FOR_ZERO, FIRST_HEADER_FIRST. */

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

active proctype writer()
{
        byte size = 0;
        byte tail = 0;      /* As read last. */
        byte first = 0;     /* Of the records that are not published, */
        byte held = 0;      /* and its header, which is stored last. */
        byte old;

next:   do
        :: held != 0 -> goto publish
        :: held == 0 -> atomic { writer_stopped = true; goto stopped }
        :: atomic { size = 1; goto reserve }
        :: atomic { size = 2; goto reserve }
        od;

reserve: /* ring_reserve() */
#ifdef NO_PLACE_FOR_ZERO
#define ROOM (BEHIND(head, tail) + size <= LIMIT)
#else
#define ROOM (BEHIND(head, tail) + size + 1 <= LIMIT) /* The zero header behind it has to fit too. */
#endif
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
        :: goto wait
        :: /* Does not wait, comes back: when something can have changed. */
           stores_w!WRITER_WAITS, 2;
           /* Here it stays for ever when the reader is away and gave all the room that it owes. */
           if
           :: memory[TAIL] != tail || memory[WRITER_WAITS] == 0 -> goto reserve
           :: reader_away && BEHIND(head, position) + size + 1 > LIMIT - (LAZY - 1) -> goto stopped
           fi
        fi;

wait:   /* ring_writer_arm() */
        stores_w!WRITER_WAITS, 1;
#ifndef NO_ROOM_FENCE
        FENCE_W;
#endif
#ifndef NO_ROOM_LOOK_AGAIN
        tail = memory[TAIL];
        if
        :: ROOM -> stores_w!WRITER_WAITS, 0; goto append
        :: else
        fi;
#endif
        if
        :: skip ->
           if
           :: atomic { bells_w -> bells_w = false }     /* poll() */
           :: reader_away && BEHIND(head, position) + size + 1 > LIMIT - (LAZY - 1) -> goto stopped
           fi
        :: stores_w!WRITER_WAITS, 0; size = 0; tail = 0; goto next /* The deadline. */
        fi;
        goto reserve;

append: /* ring_append() */
        if
        :: size == 2 -> stores_w!(head + 1) % LIMIT, GARBAGE
        :: else
        fi;
#ifndef NO_ZERO_HEADER
        stores_w!(head + size) % LIMIT, 0;
#endif
        if
        :: atomic { held == 0 -> first = head; held = HEADER(head, size) }
#ifdef FIRST_HEADER_FIRST
           stores_w!first % LIMIT, held
#endif
        :: else -> stores_w!head % LIMIT, HEADER(head, size)
        fi;
        atomic { head = (head + size) % POSITIONS ; size = 0; tail = 0 };
        goto next;

publish: /* ring_publish(), ring_takes_reader_waits() */
        atomic { stores_w!first % LIMIT, held; held = 0; first = 0 };
#ifndef NO_COMMIT_FENCE
        FENCE_W;
#endif
        if
        :: memory[READER_WAITS] != 0 ->
           atomic { FENCE_W -> old = memory[READER_WAITS]; memory[READER_WAITS] = 0 };
           if
           :: atomic { old == 1 ->
                if
                :: bells_r < SOCKET -> bells_r++; edge = true
                :: else /* EAGAIN: no edge. */
                fi };
           :: else
           fi;
           old = 0
        :: else
        fi;
        goto next;

stopped: skip
}

/* ring_publish_tail() */
inline publish_tail()
{
        published = position;
        stores_r!TAIL, position;
#ifndef NO_TAIL_FENCE
        FENCE_R;
#endif
        if
        :: memory[WRITER_WAITS] != 0 ->
           atomic { FENCE_R -> old = memory[WRITER_WAITS]; memory[WRITER_WAITS] = 0 };
           if
           :: atomic { old == 1 -> bells_w = true }
           :: else
           fi;
           old = 0
        :: else
        fi
}

active proctype reader()
{
        byte header;
        byte published = 0;
        byte armed = 0;     /* How often, since the bells were drained. */
        byte old;

look:   do
        :: header = memory[position % LIMIT];
           if
           :: header != 0 ->
              /* ring_peek(), ring_consume() */
              atomic {
                      assert(header % 16 == position && header != GARBAGE);
                      position = (position + header / 16) % POSITIONS;
                      header = 0
              };
              if
              :: BEHIND(position, published) >= LAZY || memory[WRITER_WAITS] != 0 -> publish_tail()
              :: else
              fi;
              if
              :: skip
              :: atomic { reader_away = true; goto away }
              fi
           :: else ->
              if
              :: skip -> /* A user that only tries comes back, without arming. */
                 if
                 :: memory[position % LIMIT] != 0
                 :: writer_stopped && head == position -> goto away
                 fi
              :: break
              fi
           fi
        od;

        /* About to sleep. */
        publish_tail();
#ifndef NO_DRAIN
        if
        :: armed == SOCKET - 1 -> bells_r = 0; armed = 0
        :: else
        fi;
#endif
        stores_r!READER_WAITS, 1;
#ifndef NO_DRAIN
        armed++;
#endif
#ifndef NO_ARM_FENCE
        FENCE_R;
#endif
#ifndef NO_LOOK_AGAIN
        if
        :: memory[position % LIMIT] != 0 -> stores_r!READER_WAITS, 0; goto look
        :: else
        fi;
#endif
        if
        :: skip     /* The deadline passes, at any time. */
        :: skip ->  /* There is none: only an edge wakes it. */
           if
           :: atomic { edge && bells_r > 0 -> edge = false }     /* epoll_wait() */
           :: writer_stopped && head == position -> goto away
           fi
        fi;
        if
        :: stores_r!READER_WAITS, 0
        :: skip
        fi;
        goto look;

away:   skip
}
