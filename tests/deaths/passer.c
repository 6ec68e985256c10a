/* Hands on what it is given. A receiver: reads some of it, and passes it on to the receiver. A sender: goes
 * on with its stream, then gives it back, or clones it, or closes it. Beside that it sends marks and notes of
 * its own by the ends that it has inherited. */
#include "story.h"

struct passer {
        struct story *story;
        uint32_t marks, notes;
        bool has_receiver, has_sender; /* Nobody has said that they are gone. */
};

static void receiver_is_gone(struct passer *passer) {
        check(is_dying(passer->story, RECEIVER));
        passer->has_receiver = false;
}

/* Returns whether the stream can go on. */
static bool send_some(struct passer *passer, mark_sender tx, uint32_t who) {
        struct story *story = passer->story;
        int r = send_marks(story, tx, who, random_below(story, 200), 1 + random_below(story, 8),
                           one_in(story, 2) ? LEAT_NOW : story->patience());

        if (r == LEAT_DISCONNECTED)
                receiver_is_gone(passer);
        return r != LEAT_DISCONNECTED;
}

static void send_own_note(struct passer *passer) {
        struct story *story = passer->story;
        struct stream *stream = stream_of(story, passer->notes);
        uint64_t index = atomic_load(&stream->committed);
        struct note_content content;
        note message = note_of(story, passer->notes, index, random_below(story, 3000), random_below(story, 3),
                               &content);
        int r;

        atomic_store(&stream->attempted, index + 1);
        r = note_send(story->notes_tx, &message, one_in(story, 2) ? LEAT_NOW : story->patience());
        atomic_store(&stream->committed, index + (r == 0));
        atomic_store(&stream->attempted, index + (r == 0));
        note_content_close(&content);
        if (r == LEAT_DISCONNECTED)
                receiver_is_gone(passer);
        else
                check(r == 0 || r == LEAT_FULL || r == LEAT_TIMEOUT);
}

/* It goes on as another stream, which begins behind what this one has sent. */
static void clone_and_use(struct passer *passer, mark_sender tx, uint32_t who) {
        struct story *story = passer->story;
        uint32_t next_who = new_stream(story, true);
        struct stream *stream = stream_of(story, next_who);
        mark first = mark_of(story, next_who, 0);
        mark_sender clone;
        int r;

        check_equal(mark_sender_clone(tx, &clone), 0);
        first.after_who = who;
        first.after_index = atomic_load(&stream_of(story, who)->committed);
        atomic_store(&stream->attempted, 1);
        r = mark_send(clone, &first, LEAT_NOW);
        atomic_store(&stream->committed, r == 0);
        atomic_store(&stream->attempted, r == 0);
        if (r == 0)
                (void) send_some(passer, clone, next_who);
        else if (r == LEAT_DISCONNECTED)
                receiver_is_gone(passer);
        else
                check_equal(r, LEAT_FULL);
        mark_sender_close(&clone);
}

static void give_back(struct passer *passer, mark_sender *tx, uint32_t who) {
        struct story *story = passer->story;
        uint64_t next = atomic_load(&stream_of(story, who)->committed);
        int r = parcel_send(story->back_tx, &(parcel){ .who = who, .next = next, .tx = mark_sender_give(tx) },
                            LEAT_NOW);

        check(r == 0 || r == LEAT_FULL || r == LEAT_DISCONNECTED);
        check(mark_sender_is_set(*tx) == (r != 0));
        if (r == LEAT_DISCONNECTED)
                check(is_dying(story, SENDER) || atomic_load(&story->shared->is_leaving[SENDER]));
}

static void go_on_with(struct passer *passer, const parcel *got, mark_sender tx) {
        struct story *story = passer->story;

        check_equal(got->next, atomic_load(&stream_of(story, got->who)->committed));
        if (send_some(passer, tx, got->who))
                switch (random_below(story, 3)) {
                case 0:
                        give_back(passer, &tx, got->who);
                        break;
                case 1:
                        clone_and_use(passer, tx, got->who);
                        break;
                default:
                        break;
                }
        mark_sender_close(&tx);
}

/* Returns where the stream stands then. */
static uint64_t read_some(struct passer *passer, mark_receiver rx, uint32_t who, uint64_t next) {
        struct story *story = passer->story;
        struct stream *stream = stream_of(story, who);
        uint64_t n = random_below(story, 200);
        mark got;
        int r = 0;

        for (uint64_t i = 0; i < n && r == 0; i++) {
                r = mark_recv(rx, &got, LEAT_NOW);
                if (r == 0) {
                        check_mark(story, &got, who, next++);
                        atomic_store(&stream->received, next);
                }
        }
        check(r == 0 || r == LEAT_EMPTY || r == LEAT_DISCONNECTED);
        if (r == LEAT_DISCONNECTED)
                check(next >= atomic_load(&stream->committed));
        return next;
}

static void pass_on(struct passer *passer, const parcel *got, mark_receiver rx) {
        struct story *story = passer->story;
        uint64_t next = read_some(passer, rx, got->who, got->next);
        parcel message = { .who = got->who, .next = next, .rx = mark_receiver_give(&rx) };
        int r;

        while ((r = parcel_send(story->on_tx, &message, story->patience())) == LEAT_TIMEOUT)
                atomic_fetch_add(&story->shared->turns[PASSER], 1);
        check(r == 0 || r == LEAT_DISCONNECTED);
        check(mark_receiver_is_set(rx) == (r != 0));
        if (r == LEAT_DISCONNECTED)
                receiver_is_gone(passer);
        mark_receiver_close(&rx);
}

static void look_into(struct passer *passer, parcel *got) {
        if (mark_receiver_is_set(got->rx)) {
                check(!mark_sender_is_set(got->tx));
                pass_on(passer, got, mark_receiver_take(&got->rx));
        } else {
                check(mark_sender_is_set(got->tx));
                go_on_with(passer, got, mark_sender_take(&got->tx));
        }
}

static void take_turn(struct passer *passer) {
        struct story *story = passer->story;
        parcel got;
        int r = parcel_recv(story->out_rx, &got, one_in(story, 4) ? LEAT_NOW : story->patience());

        if (r == 0) {
                look_into(passer, &got);
        } else if (r == LEAT_DISCONNECTED) {
                check(is_dying(story, SENDER) || atomic_load(&story->shared->is_leaving[SENDER]));
                passer->has_sender = false;
        } else {
                check(r == LEAT_EMPTY || r == LEAT_TIMEOUT);
        }
        if (passer->has_receiver && one_in(story, 2))
                (void) send_some(passer, story->marks_tx, passer->marks);
        if (passer->has_receiver && one_in(story, 4))
                send_own_note(passer);
}

void play_passer(struct story *story) {
        struct passer passer = { .story = story, .has_receiver = true, .has_sender = true };

        mark_receiver_close(&story->marks_rx);
        note_receiver_close(&story->notes_rx);
        parcel_sender_close(&story->out_tx);
        parcel_receiver_close(&story->on_rx);
        parcel_receiver_close(&story->back_rx);
        atomic_store(&story->shared->has_begun[PASSER], true);
        passer.marks = new_stream(story, true);
        passer.notes = new_stream(story, true);
        while (passer.has_sender) {
                take_turn(&passer);
                atomic_fetch_add(&story->shared->turns[PASSER], 1);
        }
        atomic_store(&story->shared->is_leaving[PASSER], true);
        mark_sender_close(&story->marks_tx);
        note_sender_close(&story->notes_tx);
        parcel_receiver_close(&story->out_rx);
        parcel_sender_close(&story->on_tx);
        parcel_sender_close(&story->back_tx);
}
