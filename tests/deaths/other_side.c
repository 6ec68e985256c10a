/* The side that lives. It never waits without a bound for one who stands still, and when that one is gone it
 * has everything that had been sent, and says so in the documented words. */
#include "scenes.h"

#include <sched.h>

#include "sender.h"

enum { MARKS_KEY, NOTES_KEY, PARCELS_KEY, WITNESS_KEY, MOVED_KEY };

enum {
        PROMISED = 4096, /* See sender.c. */
        FILLING = 10
};

void other_side_opens(struct other_side *other) {
        struct story *story = other->story;

        check_equal(leat_set_create(&other->set), 0);
        check_equal(mark_channel(&other->witness_tx, &other->witness_rx), 0);
        check_equal(mark_set_add(other->set, other->witness_rx, WITNESS_KEY), 0);
        if (other->scene->receives) {
                mark_receiver_close(&story->marks_rx);
                note_receiver_close(&story->notes_rx);
                check_equal(parcel_set_add(other->set, story->back_rx, PARCELS_KEY), 0);
                parcel_receiver_close(&story->out_rx);
        } else {
                mark_sender_close(&story->marks_tx);
                note_sender_close(&story->notes_tx);
                check_equal(mark_set_add(other->set, story->marks_rx, MARKS_KEY), 0);
                check_equal(note_set_add(other->set, story->notes_rx, NOTES_KEY), 0);
                check_equal(parcel_set_add(other->set, story->out_rx, PARCELS_KEY), 0);
                parcel_receiver_close(&story->back_rx);
        }
        parcel_sender_close(&story->out_tx);
        parcel_sender_close(&story->back_tx);
}

/* ---- as a receiver ---- */

static void count(struct other_side *other, uint32_t who) {
        struct stream *stream = stream_of(other->story, who);

        other->next[who]++;
        check(other->next[who] <= atomic_load(&stream->attempted));
        atomic_store(&stream->received, other->next[who]);
}

static void take_mark(struct other_side *other, const mark *got) {
        check(got->who == MARKS_STREAM || got->who == WITNESS_STREAM || got->who == MOVED_STREAM);
        check_mark(other->story, got, got->who, other->next[got->who]);
        if (got->after_who != NO_STREAM)
                check(other->next[got->after_who] >= got->after_index);
        count(other, got->who);
}

static int receive_marks(struct other_side *other, mark_receiver rx) {
        mark got;
        int r;

        while ((r = mark_recv(rx, &got, LEAT_NOW)) == 0)
                take_mark(other, &got);
        return r;
}

static int receive_notes(struct other_side *other) {
        note got;
        int r;

        while ((r = note_recv(other->story->notes_rx, &got, LEAT_NOW)) == 0) {
                check_note(other->story, &got, NOTES_STREAM, other->next[NOTES_STREAM]);
                count(other, NOTES_STREAM);
        }
        note_release(other->story->notes_rx);
        return r;
}

static int receive_parcels(struct other_side *other) {
        struct story *story = other->story;
        parcel_receiver rx = other->scene->receives ? story->back_rx : story->out_rx;
        parcel got;
        int r;

        while ((r = parcel_recv(rx, &got, LEAT_NOW)) == 0) {
                if (mark_receiver_is_set(got.rx)) {
                        check(!mark_receiver_is_set(other->moved_rx));
                        other->moved_rx = mark_receiver_take(&got.rx);
                        other->has_moved = true;
                        other->next[got.who] = got.next;
                        check_equal(mark_set_add(other->set, other->moved_rx, MOVED_KEY), 0);
                } else {
                        mark_sender tx = mark_sender_take(&got.tx);

                        check_equal(got.next, atomic_load(&stream_of(story, got.who)->committed));
                        check_equal(send_marks(story, tx, got.who, 3, 1, LEAT_NOW), 0);
                        mark_sender_close(&tx);
                }
        }
        return r;
}

static void take_what_is_ready(struct other_side *other, uint64_t key) {
        int r;

        switch (key) {
        case MARKS_KEY:
                r = receive_marks(other, other->story->marks_rx);
                other->marks_ended = r == LEAT_DISCONNECTED;
                break;
        case NOTES_KEY:
                r = receive_notes(other);
                other->notes_ended = r == LEAT_DISCONNECTED;
                break;
        case PARCELS_KEY:
                r = receive_parcels(other);
                other->parcels_ended = r == LEAT_DISCONNECTED;
                break;
        case MOVED_KEY:
                r = receive_marks(other, other->moved_rx);
                break;
        default:
                check_equal(key, WITNESS_KEY);
                return;
        }
        check(r == LEAT_EMPTY || r == LEAT_DISCONNECTED);
        check(r != LEAT_DISCONNECTED || key == MOVED_KEY || other->scene->closes ||
              is_dying(other->story, SENDER) || atomic_load(&other->story->shared->is_leaving[SENDER]));
        if (r == LEAT_DISCONNECTED && key == MOVED_KEY)
                mark_receiver_close(&other->moved_rx);
}

static void receive_all(struct other_side *other) {
        uint64_t key;
        int r;

        while ((r = leat_set_wait(other->set, &key, LEAT_NOW)) == 0)
                take_what_is_ready(other, key);
        check_equal(r, LEAT_EMPTY);
}

/* A channel that has nothing to do with it is not disturbed. */
static void use_witness(struct other_side *other) {
        mark message = mark_of(other->story, MOVED_STREAM, UINT32_MAX), got;
        uint64_t key;

        check_equal(mark_send(other->witness_tx, &message, LEAT_NOW), 0);
        do {
                check_equal(leat_set_wait(other->set, &key, leat_after_ms(1000L * PATIENCE_S)), 0);
                take_what_is_ready(other, key);
        } while (key != WITNESS_KEY);
        check_equal(mark_recv(other->witness_rx, &got, LEAT_NOW), 0);
        check_mark(other->story, &got, MOVED_STREAM, UINT32_MAX);
        check_equal(mark_recv(other->witness_rx, &got, LEAT_NOW), LEAT_EMPTY);
}

/* ---- as a sender ---- */

static int send_mark(struct other_side *other, leat_deadline deadline) {
        return send_marks(other->story, other->story->marks_tx, MARKS_STREAM, 1, 1, deadline);
}

static int send_note(struct other_side *other, size_t size, size_t n_files, leat_deadline deadline) {
        struct stream *stream = stream_of(other->story, NOTES_STREAM);
        uint64_t index = atomic_load(&stream->committed);
        struct note_content content;
        note message = note_of(other->story, NOTES_STREAM, index, size, n_files, &content);
        int r;

        atomic_store(&stream->attempted, index + 1);
        r = note_send(other->story->notes_tx, &message, deadline);
        atomic_store(&stream->attempted, index + (r == 0));
        atomic_store(&stream->committed, index + (r == 0));
        note_content_close(&content);
        check(r == 0 || r == LEAT_FULL || r == LEAT_TIMEOUT || r == LEAT_DISCONNECTED);
        return r;
}

/* Until it is known that nobody receives any more. */
static void send_until_the_end(struct other_side *other) {
        leat_deadline soon = leat_after_ms(1000L * PATIENCE_S);
        int64_t start = now_ns();
        int n = 0, r;

        while ((r = send_mark(other, soon)) == 0)
                check(++n <= PROMISED || now_ns() < start + 1000000);
        check_equal(r, LEAT_DISCONNECTED);
        while ((r = send_note(other, 10, 1, soon)) == 0)
                continue;
        check_equal(r, LEAT_DISCONNECTED);
}

/* ---- the scene's course ---- */

static bool has_lanes(const struct story *story) {
        return story->marks_tx.object->lane && story->notes_tx.object->lane;
}

void other_side_warms_up(struct other_side *other) {
        struct story *story = other->story;

        if (!other->scene->receives) {
                receive_all(other);
                return;
        }
        if (atomic_load(&story->shared->has_begun[SENDER]))
                return;
        check_equal(send_mark(other, leat_after_ms(1000L * PATIENCE_S)), 0);
        check_equal(send_note(other, 10, 0, leat_after_ms(1000L * PATIENCE_S)), 0);
        if (other->scene->lanes == LEAT_LANES_NEVER || has_lanes(story))
                atomic_store(&story->shared->has_begun[SENDER], true);
}

void other_side_is_ready(struct other_side *other) {
        int fd;

        if (other->scene->receives) {
                for (int i = 0; i < FILLING; i++)
                        check_equal(send_mark(other, LEAT_NOW), 0);
                check_equal(send_note(other, 3000, 3, LEAT_NOW), 0);
        }
        do
                receive_all(other);
        while (other->scene->is_armed && leat_set_arm(other->set, &fd) != 0);
}

void other_side_goes_on(struct other_side *other) {
        receive_all(other);
        use_witness(other);
        if (!other->scene->receives)
                return;
        for (int i = 0; i < FILLING; i++)
                (void) send_mark(other, LEAT_NOW);
        (void) send_note(other, 10, 1, leat_after_ms(1));
}

static void check_books(const struct other_side *other) {
        for (uint32_t who = 0; who <= MOVED_STREAM; who++) {
                const struct stream *stream = stream_of(other->story, who);

                if (who == MOVED_STREAM && !other->has_moved)
                        continue; /* Its receiver was lost with who had it. */
                check(other->next[who] >= atomic_load(&stream->committed));
                check(other->next[who] <= atomic_load(&stream->attempted));
        }
}

static void take_until(struct other_side *other, bool (*is_over)(const struct other_side *)) {
        leat_deadline soon = leat_after_ms(1000L * PATIENCE_S);
        uint64_t key;

        while (!is_over(other)) {
                check_equal(leat_set_wait(other->set, &key, soon), 0);
                take_what_is_ready(other, key);
        }
}

static bool all_have_ended(const struct other_side *other) {
        return (other->scene->receives || (other->marks_ended && other->notes_ended)) && other->parcels_ended;
}

static bool moved_has_ended(const struct other_side *other) {
        return !mark_receiver_is_set(other->moved_rx);
}

/* The receiver is here, or was closed by who read all, or is gone with who had it. */
static void end_as_sender(struct other_side *other) {
        struct story *story = other->story;
        const struct stream *stream = stream_of(story, MARKS_STREAM);

        if (other->has_moved) {
                mark_sender_close(&story->marks_tx);
                take_until(other, moved_has_ended);
                check_equal(other->next[MARKS_STREAM], atomic_load(&stream->committed));
        } else if (mark_sender_is_set(story->marks_tx)) {
                send_until_the_end(other);
        } else {
                check_equal(atomic_load(&stream->received), atomic_load(&stream->committed));
        }
}

/* The victim is gone, or goes on to its end. */
void other_side_ends(struct other_side *other) {
        struct story *story = other->story;

        take_until(other, all_have_ended);
        if (other->scene->receives) {
                end_as_sender(other);
        } else {
                take_until(other, moved_has_ended);
                check_books(other);
        }
        leat_set_close(&other->set);
        mark_sender_close(&other->witness_tx);
        mark_receiver_close(&other->witness_rx);
        mark_sender_close(&story->marks_tx);
        mark_receiver_close(&story->marks_rx);
        note_sender_close(&story->notes_tx);
        note_receiver_close(&story->notes_rx);
        parcel_receiver_close(&story->out_rx);
        parcel_receiver_close(&story->back_rx);
}
