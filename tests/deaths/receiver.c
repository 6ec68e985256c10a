/* Receives everything in one set: marks and notes of many streams, and the receivers that the passer hands
 * on. Each stream's messages have to come whole, once, in their order and without a gap, and the end only
 * when all who could send are gone. */
#include "story.h"

enum { MARKS, NOTES, PARCELS, HANDED };

enum { MOST_HANDED = STREAMS };

struct handed {
        mark_receiver rx; /* Not set: it has ended. */
        uint32_t who;
        uint64_t next;
};

struct receiver {
        struct story *story;
        leat_set set;
        size_t n_open; /* Members of the set. */
        uint64_t next[STREAMS];
        struct handed handed[MOST_HANDED];
        size_t n_handed;
};

static bool has_left(const struct story *story, enum actor actor) {
        return is_dying(story, actor) || atomic_load(&story->shared->is_leaving[actor]);
}

static void note_received(const struct story *story, uint32_t who, uint64_t next) {
        struct stream *stream = stream_of(story, who);

        check(next <= atomic_load(&stream->attempted));
        atomic_store(&stream->received, next);
}

/* Returns 0, or what else receiving said. */
static int take_mark(struct receiver *receiver) {
        struct story *story = receiver->story;
        mark got;
        int r = mark_recv(story->marks_rx, &got, LEAT_NOW);

        if (r != 0)
                return r;
        check(got.who < STREAMS);
        check_mark(story, &got, got.who, receiver->next[got.who]);
        if (got.after_who != NO_STREAM)
                check(receiver->next[got.after_who] >= got.after_index);
        note_received(story, got.who, ++receiver->next[got.who]);
        return 0;
}

static int take_note(struct receiver *receiver) {
        struct story *story = receiver->story;
        note got;
        int r = note_recv(story->notes_rx, &got, LEAT_NOW);

        if (r != 0)
                return r;
        check(got.who < STREAMS);
        check_note(story, &got, got.who, receiver->next[got.who]);
        note_received(story, got.who, ++receiver->next[got.who]);
        if (answer_sender_is_set(got.reply)) {
                r = answer_send(got.reply, &(answer){ .index = got.index }, LEAT_NOW);
                check(r == 0 || r == LEAT_DISCONNECTED); /* Who asked may have stopped waiting. */
        }
        note_release(story->notes_rx);
        return 0;
}

static int take_parcel(struct receiver *receiver) {
        struct story *story = receiver->story;
        struct handed *handed = &receiver->handed[receiver->n_handed];
        parcel got;
        int r = parcel_recv(story->on_rx, &got, LEAT_NOW);

        if (r != 0)
                return r;
        check(receiver->n_handed < MOST_HANDED);
        check(mark_receiver_is_set(got.rx));
        *handed = (struct handed){ .rx = mark_receiver_take(&got.rx), .who = got.who, .next = got.next };
        check_equal(mark_set_add(receiver->set, handed->rx, HANDED + receiver->n_handed), 0);
        receiver->n_handed++;
        receiver->n_open++;
        return 0;
}

static int take_handed(struct receiver *receiver, struct handed *handed) {
        struct story *story = receiver->story;
        mark got;
        int r = mark_recv(handed->rx, &got, LEAT_NOW);

        if (r == 0) {
                check_mark(story, &got, handed->who, handed->next++);
                note_received(story, handed->who, handed->next);
        }
        return r;
}

/* The end is not said before all is read: nothing that was sent is missing. */
static void end_of_handed(struct receiver *receiver, struct handed *handed) {
        struct stream *stream = stream_of(receiver->story, handed->who);

        check(handed->next >= atomic_load(&stream->committed));
        check(handed->next <= atomic_load(&stream->attempted));
        mark_receiver_close(&handed->rx);
}

static int take_one(struct receiver *receiver, uint64_t key) {
        switch (key) {
        case MARKS:
                return take_mark(receiver);
        case NOTES:
                return take_note(receiver);
        case PARCELS:
                return take_parcel(receiver);
        default:
                check(key < HANDED + receiver->n_handed);
                return take_handed(receiver, &receiver->handed[key - HANDED]);
        }
}

static void take_some(struct receiver *receiver, uint64_t key) {
        struct story *story = receiver->story;
        uint64_t n = 1 + random_below(story, 100);
        int r = 0;

        for (uint64_t i = 0; i < n && r == 0; i++)
                r = take_one(receiver, key);
        check(r == 0 || r == LEAT_EMPTY || r == LEAT_DISCONNECTED);
        if (r != LEAT_DISCONNECTED)
                return;
        receiver->n_open--;
        if (key >= HANDED)
                end_of_handed(receiver, &receiver->handed[key - HANDED]);
        else
                check((key == PARCELS || has_left(story, SENDER)) && has_left(story, PASSER));
}

void play_receiver(struct story *story) {
        static struct receiver receiver;
        uint64_t key;
        int r;

        receiver = (struct receiver){ .story = story, .n_open = HANDED };
        mark_sender_close(&story->marks_tx);
        note_sender_close(&story->notes_tx);
        parcel_sender_close(&story->out_tx);
        parcel_receiver_close(&story->out_rx);
        parcel_sender_close(&story->on_tx);
        parcel_sender_close(&story->back_tx);
        parcel_receiver_close(&story->back_rx);
        atomic_store(&story->shared->has_begun[RECEIVER], true);
        check_equal(leat_set_create(&receiver.set), 0);
        check_equal(mark_set_add(receiver.set, story->marks_rx, MARKS), 0);
        check_equal(note_set_add(receiver.set, story->notes_rx, NOTES), 0);
        check_equal(parcel_set_add(receiver.set, story->on_rx, PARCELS), 0);
        while (receiver.n_open > 0) {
                r = leat_set_wait(receiver.set, &key,
                                  one_in(story, 8) ? leat_after_ms(1) : story->patience());
                if (r == 0)
                        take_some(&receiver, key);
                else
                        check_equal(r, LEAT_TIMEOUT);
                atomic_fetch_add(&story->shared->turns[RECEIVER], 1);
        }
        atomic_store(&story->shared->is_leaving[RECEIVER], true);
        leat_set_close(&receiver.set);
        mark_receiver_close(&story->marks_rx);
        note_receiver_close(&story->notes_rx);
        parcel_receiver_close(&story->on_rx);
}
