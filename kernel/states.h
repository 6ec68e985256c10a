/* The life of a plugin, as a table: in which state what happens leads where, and what is to be done about
 * it. */
#ifndef LEAT_KERNEL_STATES_H
#define LEAT_KERNEL_STATES_H

enum state {
        STATE_SAME, /* Only in the table: stay. */
        STATE_STOPPED,
        STATE_STARTING, /* Its process runs, and has not said a word yet. */
        STATE_RUNNING,
        STATE_SILENT,   /* It has said nothing for too long, or has closed its channel. */
        STATE_STOPPING, /* It was told to end, or killed, and its process is not gone yet. */
        STATE_WAITING,  /* For the end of the pause before its restart. */
        STATE_FAILED,   /* Given up. */
        STATES,
};

enum event {
        EVENT_START,      /* Wanted by the configuration or the user. */
        EVENT_UNSTARTABLE, /* There is no program to run. */
        EVENT_CONNECTED,  /* It has a channel, its own or one through the bridge. */
        EVENT_HANDSHAKE,
        EVENT_HEARTBEAT,  /* Or any other message: it lives. */
        EVENT_LATE,       /* Overdue, and only to be reported. */
        EVENT_OVERDUE,    /* Overdue, and to be replaced. */
        EVENT_CLOSED,     /* Its channel is closed, and its process runs on. */
        EVENT_DIED,       /* Its process has ended (or, without one, its channel): to be restarted, */
        EVENT_ENDED,      /* not to be restarted, */
        EVENT_GIVEN_UP,   /* or restarted too often already. */
        EVENT_STOP,       /* The kernel stops. */
        EVENT_KILL,       /* The user wants it killed. */
        EVENT_DEADLINE,   /* The time that the state allows is over. */
        EVENTS,
};

enum action {
        ACTION_NONE,
        ACTION_SPAWN,    /* Start the process. */
        ACTION_GREET,    /* Say that it has come. */
        ACTION_REPORT,   /* Say that it is late. */
        ACTION_MISS,     /* Give it a time to come back. */
        ACTION_RECOVER,  /* Say that it is back. */
        ACTION_TELL,     /* Ask it to end. */
        ACTION_KILL,
        ACTION_INSIST,   /* It was asked: SIGTERM; it got that: SIGKILL. */
        ACTION_PAUSE,    /* Restart it after a pause. */
        ACTION_REST,     /* Say that it has ended; nothing more follows. */
        ACTION_GIVE_UP,
};

struct step {
        enum state next;
        enum action action;
};

/* What the table says. A combination that is not in it stays and does nothing. */
struct step states_step(enum state state, enum event event);

const char *states_name(enum state state);

#endif
