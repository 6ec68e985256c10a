/* The calls in which a process is stopped or killed behind every instruction. Each scene is one of them, in a
 * channel that is in use. */
#include "scenes.h"

#include "sender.h"

enum { NARROW = 4096, OF_PIECES = 3000, SEALED_IN_LANE = 5000, SEALED = 66000 };

static void expect_sent(int r) {
        check_equal(r, 0);
}

static void send_one(struct story *story) {
        expect_sent(send_marks(story, story->marks_tx, MARKS_STREAM, 1, 1, LEAT_FOREVER));
}

static void send_a_batch(struct story *story) {
        expect_sent(send_marks(story, story->marks_tx, MARKS_STREAM, 20, 20, LEAT_NOW));
}

static void send_a_note(struct story *story, size_t size, size_t n_files) {
        struct stream *stream = stream_of(story, NOTES_STREAM);
        uint64_t index = atomic_load(&stream->committed);
        struct note_content content;
        note message = note_of(story, NOTES_STREAM, index, size, n_files, &content);

        atomic_store(&stream->attempted, index + 1);
        expect_sent(note_send(story->notes_tx, &message, size > OF_PIECES ? LEAT_NOW : LEAT_FOREVER));
        atomic_store(&stream->committed, index + 1);
        note_content_close(&content);
}

static void send_files(struct story *story) {
        send_a_note(story, 100, 2);
}

static void send_pieces(struct story *story) {
        send_a_note(story, OF_PIECES, 0); /* Over half of the lane; all of them have room. */
}

static void send_sealed(struct story *story) {
        send_a_note(story, SEALED, 0);
}

static void send_sealed_in_lane(struct story *story) {
        send_a_note(story, SEALED_IN_LANE, 0); /* Not all pieces would have room, and it is not to wait. */
}

static void send_a_clone(struct story *story) {
        mark_sender clone;
        mark message = mark_of(story, WITNESS_STREAM, 0);

        message.after_who = MARKS_STREAM;
        message.after_index = atomic_load(&stream_of(story, MARKS_STREAM)->committed);
        check_equal(mark_sender_clone(story->marks_tx, &clone), 0);
        atomic_store(&stream_of(story, WITNESS_STREAM)->attempted, 1);
        expect_sent(mark_send(clone, &message, LEAT_NOW));
        atomic_store(&stream_of(story, WITNESS_STREAM)->committed, 1);
        mark_sender_close(&clone);
}

/* A channel's sender stays here, its receiver goes; what is sent before and after arrives at the other
 * side. */
static void give_a_receiver(struct story *story) {
        const struct leat_channel_options always = { .lanes = LEAT_LANES_ALWAYS, .capacity = NARROW };
        mark_sender tx;
        mark_receiver rx;

        check_equal(mark_channel_with(&always, &tx, &rx), 0);
        expect_sent(send_marks(story, tx, MOVED_STREAM, 3, 3, LEAT_NOW));
        expect_sent(parcel_send(story->out_tx,
                                &(parcel){ .who = MOVED_STREAM, .rx = mark_receiver_give(&rx) }, LEAT_NOW));
        expect_sent(send_marks(story, tx, MOVED_STREAM, 3, 3, LEAT_NOW));
        mark_sender_close(&tx);
}

static void give_the_sender(struct story *story) {
        uint64_t next = atomic_load(&stream_of(story, MARKS_STREAM)->committed);

        expect_sent(parcel_send(
                story->out_tx,
                &(parcel){ .who = MARKS_STREAM, .next = next, .tx = mark_sender_give(&story->marks_tx) },
                LEAT_NOW));
}

static void close_senders(struct story *story) {
        mark_sender_close(&story->marks_tx);
        note_sender_close(&story->notes_tx);
}

/* ---- receiving ---- */

static int receive_mark(struct story *story, leat_deadline deadline) {
        struct stream *stream = stream_of(story, MARKS_STREAM);
        uint64_t next = atomic_load(&stream->received);
        mark got;
        int r = mark_recv(story->marks_rx, &got, deadline);

        if (r == 0) {
                check_mark(story, &got, MARKS_STREAM, next);
                atomic_store(&stream->received, next + 1);
        }
        return r;
}

static int receive_note(struct story *story, leat_deadline deadline) {
        struct stream *stream = stream_of(story, NOTES_STREAM);
        uint64_t next = atomic_load(&stream->received);
        note got;
        int r = note_recv(story->notes_rx, &got, deadline);

        if (r == 0) {
                check_note(story, &got, NOTES_STREAM, next);
                atomic_store(&stream->received, next + 1);
        }
        return r;
}

static void receive_some(struct story *story) {
        for (int i = 0; i < 3; i++)
                check_equal(receive_mark(story, LEAT_NOW), 0);
}

static void receive_a_note(struct story *story) {
        check_equal(receive_note(story, LEAT_NOW), 0);
        note_release(story->notes_rx);
}

/* The end: the other side has sent all, while this one stood still. */
static void receive_all_and_wait(struct story *story) {
        int r;

        while (receive_mark(story, LEAT_NOW) == 0)
                continue;
        r = receive_mark(story, leat_after_ms(1000L * PATIENCE_S));
        check(r == 0 || r == LEAT_DISCONNECTED);
}

static void wait_in_a_set(struct story *story) {
        leat_set set;
        uint64_t key;

        while (receive_mark(story, LEAT_NOW) == 0)
                continue;
        check_equal(leat_set_create(&set), 0);
        check_equal(mark_set_add(set, story->marks_rx, 1), 0);
        do
                check_equal(leat_set_wait(set, &key, leat_after_ms(1000L * PATIENCE_S)), 0);
        while (receive_mark(story, LEAT_NOW) == LEAT_EMPTY);
        leat_set_close(&set);
}

static void feed_one(struct story *story) {
        (void) send_marks(story, story->marks_tx, MARKS_STREAM, 1, 1, LEAT_NOW);
}

/* What is in its lane goes along. */
static void give_the_receiver(struct story *story) {
        uint64_t next = atomic_load(&stream_of(story, MARKS_STREAM)->received);

        expect_sent(parcel_send(
                story->back_tx,
                &(parcel){ .who = MARKS_STREAM, .next = next, .rx = mark_receiver_give(&story->marks_rx) },
                LEAT_NOW));
}

static void close_receivers(struct story *story) {
        mark_receiver_close(&story->marks_rx);
        note_receiver_close(&story->notes_rx);
}

const struct scene scenes[] = {
        { .name = "send by the socket", .lanes = LEAT_LANES_NEVER, .act = send_one },
        { .name = "send by the socket to one who sleeps",
          .lanes = LEAT_LANES_NEVER,
          .is_armed = true,
          .act = send_one },
        { .name = "send files by the socket", .lanes = LEAT_LANES_NEVER, .act = send_files },
        { .name = "send sealed memory by the socket", .lanes = LEAT_LANES_NEVER, .act = send_sealed },
        { .name = "send in a lane", .lanes = LEAT_LANES_ALWAYS, .act = send_one },
        { .name = "send in a lane to one who sleeps",
          .lanes = LEAT_LANES_ALWAYS,
          .is_armed = true,
          .act = send_one },
        { .name = "send a batch in a lane", .lanes = LEAT_LANES_ALWAYS, .act = send_a_batch },
        { .name = "send files in a lane", .lanes = LEAT_LANES_ALWAYS, .act = send_files },
        { .name = "send files in a lane to one who sleeps",
          .lanes = LEAT_LANES_ALWAYS,
          .is_armed = true,
          .act = send_files },
        { .name = "send pieces in a lane",
          .lanes = LEAT_LANES_ALWAYS,
          .capacity = NARROW,
          .act = send_pieces },
        { .name = "send sealed memory in a lane",
          .lanes = LEAT_LANES_ALWAYS,
          .capacity = NARROW,
          .act = send_sealed_in_lane },
        { .name = "clone, send, close", .lanes = LEAT_LANES_ALWAYS, .capacity = NARROW, .act = send_a_clone },
        { .name = "give a new receiver", .lanes = LEAT_LANES_ALWAYS, .act = give_a_receiver },
        { .name = "give the sender", .lanes = LEAT_LANES_ALWAYS, .act = give_the_sender },
        { .name = "close senders", .lanes = LEAT_LANES_ALWAYS, .closes = true, .act = close_senders },
        { .name = "receive by the socket", .lanes = LEAT_LANES_NEVER, .receives = true, .act = receive_some },
        { .name = "receive files by the socket",
          .lanes = LEAT_LANES_NEVER,
          .receives = true,
          .act = receive_a_note },
        { .name = "receive in a lane", .lanes = LEAT_LANES_ALWAYS, .receives = true, .act = receive_some },
        { .name = "receive files in a lane",
          .lanes = LEAT_LANES_ALWAYS,
          .receives = true,
          .act = receive_a_note },
        { .name = "wait at a lane",
          .lanes = LEAT_LANES_ALWAYS,
          .receives = true,
          .act = receive_all_and_wait,
          .feed = feed_one },
        { .name = "wait in a set",
          .lanes = LEAT_LANES_ALWAYS,
          .receives = true,
          .act = wait_in_a_set,
          .feed = feed_one },
        { .name = "wait at the socket",
          .lanes = LEAT_LANES_NEVER,
          .receives = true,
          .act = receive_all_and_wait,
          .feed = feed_one },
        { .name = "give the receiver",
          .lanes = LEAT_LANES_ALWAYS,
          .receives = true,
          .act = give_the_receiver },
        { .name = "close receivers",
          .lanes = LEAT_LANES_ALWAYS,
          .receives = true,
          .closes = true,
          .act = close_receivers },
};

const size_t n_scenes = sizeof(scenes) / sizeof(scenes[0]);

/* ---- before and after ---- */

static bool want_lanes(const struct scene *scene) {
        return scene->lanes == LEAT_LANES_ALWAYS;
}

static void close_others(struct story *story, bool receives) {
        if (receives) {
                mark_sender_close(&story->marks_tx);
                note_sender_close(&story->notes_tx);
                parcel_sender_close(&story->out_tx);
        } else {
                mark_receiver_close(&story->marks_rx);
                note_receiver_close(&story->notes_rx);
                parcel_sender_close(&story->back_tx);
        }
        parcel_receiver_close(&story->out_rx);
        parcel_receiver_close(&story->back_rx);
}

void victim_warms_up(struct story *story, const struct scene *scene) {
        close_others(story, scene->receives);
        if (scene->receives) {
                while (!atomic_load(&story->shared->has_begun[SENDER])) {
                        (void) receive_mark(story, leat_after_ms(1));
                        (void) receive_note(story, LEAT_NOW);
                }
                while (receive_mark(story, LEAT_NOW) == 0 || receive_note(story, LEAT_NOW) == 0)
                        continue;
                note_release(story->notes_rx);
        } else {
                do
                        send_one(story);
                while (want_lanes(scene) && !story->marks_tx.object->lane);
                do
                        send_a_note(story, 100, 0);
                while (want_lanes(scene) && !story->notes_tx.object->lane);
        }
}

void victim_goes_on(struct story *story, const struct scene *scene) {
        int r = 0;

        if (scene->receives) {
                while (mark_receiver_is_set(story->marks_rx) && r == 0)
                        r = receive_mark(story, LEAT_FOREVER);
                check(r == 0 || r == LEAT_DISCONNECTED);
                for (r = 0; note_receiver_is_set(story->notes_rx) && r == 0;)
                        r = receive_note(story, LEAT_FOREVER);
                check(r == 0 || r == LEAT_DISCONNECTED);
                close_receivers(story);
                parcel_sender_close(&story->back_tx);
                return;
        }
        if (mark_sender_is_set(story->marks_tx))
                check_equal(send_marks(story, story->marks_tx, MARKS_STREAM, 5, 1, LEAT_FOREVER), 0);
        close_senders(story);
        parcel_sender_close(&story->out_tx);
}
