/* Sends what there is to send: marks alone and in batches, notes small and large, with descriptors, with
 * questions; makes channels and hands their receivers to the passer, hands on senders that are in use, and
 * takes back what the passer returns. It never waits for the passer, so that one who is stopped holds up
 * nothing here. */
#include "story.h"

enum {
        PRIVATE = 8,     /* Channels whose receivers were handed on. */
        PROMISED = 4096, /* So many marks may be sent to a receiver that was killed, */
        PROMISED_LATE =
                16, /* or so many when it has been dead for 1 ms, and what else was in the same batch. */
        AT_ONCE = 64
};

struct handed_on {
        uint32_t who;
        mark_sender tx;
};

struct sender {
        struct story *story;
        uint32_t marks, notes;     /* Streams of its own. */
        bool has_marks, has_notes; /* Nobody has said that the receiver is gone. */
        struct handed_on privates[PRIVATE];
        size_t n_privates;
        uint64_t since_death; /* Marks that were sent since the receiver is dead. */
        uint64_t late;        /* And since it is dead for 1 ms. */
};

static leat_deadline some_deadline(struct story *story) {
        switch (random_below(story, 4)) {
        case 0:
                return LEAT_NOW;
        case 1:
                return leat_after_ms(1);
        default:
                return story->patience();
        }
}

/* Who sends on by a lane whose receiver was killed is told in time. `dead_ns`: since when it was dead as the
 * sending began; 0: it was not. */
static void count_after_death(struct sender *sender, int64_t dead_ns, uint64_t n) {
        if (dead_ns == 0)
                return;
        sender->since_death += n;
        check(sender->since_death <= PROMISED + AT_ONCE);
        if (dead_ns < 1000000)
                return;
        sender->late += n;
        check(sender->late <= PROMISED_LATE + AT_ONCE);
}

static void send_main_marks(struct sender *sender) {
        struct story *story = sender->story;
        struct stream *stream = stream_of(story, sender->marks);
        uint64_t before = atomic_load(&stream->committed),
                 at_a_time = one_in(story, 3) ? 1 + random_below(story, AT_ONCE) : 1;
        int64_t dead_ns = atomic_load(&story->shared->dead) == RECEIVER
                                  ? now_ns() - atomic_load(&story->shared->dead_since_ns)
                                  : 0;
        int r;

        if (!sender->has_marks)
                return;
        r = send_marks(story, story->marks_tx, sender->marks, 1 + random_below(story, 200), at_a_time,
                       some_deadline(story));
        count_after_death(sender, dead_ns, atomic_load(&stream->committed) - before);
        if (r == LEAT_DISCONNECTED) {
                check(is_dying(story, RECEIVER));
                sender->has_marks = false;
        }
}

static size_t some_size(struct story *story) {
        switch (random_below(story, 20)) {
        case 0:
                return random_below(story, NOISE);
        case 1:
        case 2:
                return random_below(story, 70000);
        case 3:
        case 4:
        case 5:
                return random_below(story, 5000);
        default:
                return random_below(story, 200);
        }
}

/* The answer comes, or whoever was asked is gone, or takes too long. */
static void wait_for_answer(struct sender *sender, answer_receiver *rx, uint64_t index) {
        struct story *story = sender->story;
        answer got;
        int r = answer_recv(*rx, &got, one_in(story, 2) ? LEAT_NOW : leat_after_ms(2));

        if (r == 0)
                check_equal(got.index, index);
        else if (r == LEAT_DISCONNECTED)
                check(is_dying(story, RECEIVER));
        else
                check(r == LEAT_EMPTY || r == LEAT_TIMEOUT);
        answer_receiver_close(rx);
}

static void send_note(struct sender *sender) {
        struct story *story = sender->story;
        struct stream *stream = stream_of(story, sender->notes);
        uint64_t index = atomic_load(&stream->committed);
        struct note_content content;
        answer_sender reply = { 0 };
        answer_receiver answers = { 0 };
        note message;
        int r;

        if (!sender->has_notes)
                return;
        message = note_of(story, sender->notes, index, some_size(story),
                          one_in(story, 4) ? 1 + random_below(story, MAX_FILES) : 0, &content);
        if (one_in(story, 6)) {
                check_equal(answer_channel(&reply, &answers), 0);
                message.reply = answer_sender_give(&reply);
        }
        atomic_store(&stream->attempted, index + 1);
        r = note_send(story->notes_tx, &message, some_deadline(story));
        atomic_store(&stream->committed, index + (r == 0));
        atomic_store(&stream->attempted, index + (r == 0));
        check(r == 0 || r == LEAT_FULL || r == LEAT_TIMEOUT || r == LEAT_DISCONNECTED);
        if (r == LEAT_DISCONNECTED) {
                check(is_dying(story, RECEIVER));
                sender->has_notes = false;
        }
        note_content_close(&content);
        check(!answer_receiver_is_set(answers) || answer_sender_is_set(reply) == (r != 0));
        if (r == 0 && answer_receiver_is_set(answers))
                wait_for_answer(sender, &answers, index);
        answer_sender_close(&reply);
        answer_receiver_close(&answers);
}

/* ---- ends that are handed on ---- */

static void drop_private(struct sender *sender, size_t i) {
        mark_sender_close(&sender->privates[i].tx);
        sender->privates[i] = sender->privates[--sender->n_privates];
}

static void hand_on_a_receiver(struct sender *sender) {
        struct story *story = sender->story;
        uint32_t who;
        mark_sender tx;
        mark_receiver rx;
        int r;

        if (sender->n_privates == PRIVATE)
                drop_private(sender, random_below(story, PRIVATE));
        who = new_stream(story, false);
        check_equal(mark_channel_with(&story->options, &tx, &rx), 0);
        r = send_marks(story, tx, who, random_below(story, 300), 1, LEAT_NOW);
        check(r == 0 || r == LEAT_FULL);
        r = parcel_send(story->out_tx, &(parcel){ .who = who, .rx = mark_receiver_give(&rx) }, LEAT_NOW);
        check(r == 0 || r == LEAT_FULL || (r == LEAT_DISCONNECTED && is_dying(story, PASSER)));
        check(mark_receiver_is_set(rx) == (r != 0));
        if (r == 0) {
                sender->privates[sender->n_privates++] = (struct handed_on){ .who = who, .tx = tx };
        } else {
                mark_receiver_close(&rx);
                mark_sender_close(&tx);
        }
}

static void use_a_private(struct sender *sender) {
        struct story *story = sender->story;
        struct handed_on *private;
        size_t i;
        int r;

        if (sender->n_privates == 0)
                return;
        i = random_below(story, sender->n_privates);
        private = &sender->privates[i];
        r = send_marks(story, private->tx, private->who, random_below(story, 300), 1 + random_below(story, 8),
                       some_deadline(story));
        if (r == LEAT_DISCONNECTED)
                check(is_dying(story, PASSER) || is_dying(story, RECEIVER));
        if (r == LEAT_DISCONNECTED || one_in(story, 10))
                drop_private(sender, i);
}

/* Gives it to the passer, where the stream goes on; if that cannot be, it ends here. */
static void give_to_passer(struct sender *sender, uint32_t who, mark_sender *tx) {
        struct story *story = sender->story;
        uint64_t next = atomic_load(&stream_of(story, who)->committed);
        int r = parcel_send(story->out_tx, &(parcel){ .who = who, .next = next, .tx = mark_sender_give(tx) },
                            LEAT_NOW);

        check(r == 0 || r == LEAT_FULL || (r == LEAT_DISCONNECTED && is_dying(story, PASSER)));
        check(mark_sender_is_set(*tx) == (r != 0));
        mark_sender_close(tx);
}

static int send_to_main(struct sender *sender, uint32_t who, mark_sender tx) {
        struct story *story = sender->story;
        int r = send_marks(story, tx, who, random_below(story, 200), 1 + random_below(story, 8),
                           some_deadline(story));

        check(r != LEAT_DISCONNECTED || is_dying(story, RECEIVER));
        return r;
}

static void hand_on_a_sender(struct sender *sender) {
        struct story *story = sender->story;
        mark_sender clone;
        uint32_t who;
        mark first;
        int r;

        if (!sender->has_marks)
                return;
        who = new_stream(story, true);
        check_equal(mark_sender_clone(story->marks_tx, &clone), 0);
        first = mark_of(story, who, 0);
        first.after_who = sender->marks;
        first.after_index = atomic_load(&stream_of(story, sender->marks)->committed);
        atomic_store(&stream_of(story, who)->attempted, 1);
        r = mark_send(clone, &first, some_deadline(story));
        atomic_store(&stream_of(story, who)->committed, r == 0);
        atomic_store(&stream_of(story, who)->attempted, r == 0);
        check(r == 0 || r == LEAT_FULL || r == LEAT_TIMEOUT ||
              (r == LEAT_DISCONNECTED && is_dying(story, RECEIVER)));
        if (r == 0)
                r = send_to_main(sender, who, clone);
        if (r == LEAT_DISCONNECTED)
                mark_sender_close(&clone);
        else
                give_to_passer(sender, who, &clone);
}

static void take_back(struct sender *sender) {
        struct story *story = sender->story;
        mark_sender tx;
        parcel got;
        int r = parcel_recv(story->back_rx, &got, LEAT_NOW);

        if (r != 0) {
                check(r == LEAT_EMPTY || (r == LEAT_DISCONNECTED && is_dying(story, PASSER)));
                return;
        }
        check(mark_sender_is_set(got.tx));
        check_equal(got.next, atomic_load(&stream_of(story, got.who)->committed));
        tx = mark_sender_take(&got.tx);
        if (send_to_main(sender, got.who, tx) == LEAT_DISCONNECTED || one_in(story, 2))
                mark_sender_close(&tx);
        else
                give_to_passer(sender, got.who, &tx);
}

static void do_something(struct sender *sender) {
        switch (random_below(sender->story, 16)) {
        case 0:
        case 1:
                hand_on_a_receiver(sender);
                break;
        case 2:
                hand_on_a_sender(sender);
                break;
        case 3:
        case 4:
                take_back(sender);
                break;
        case 5:
        case 6:
        case 7:
                use_a_private(sender);
                break;
        case 8:
        case 9:
        case 10:
        case 11:
                send_main_marks(sender);
                break;
        default:
                send_note(sender);
                break;
        }
}

void play_sender(struct story *story) {
        struct sender sender = { .story = story, .has_marks = true, .has_notes = true };

        mark_receiver_close(&story->marks_rx);
        note_receiver_close(&story->notes_rx);
        parcel_receiver_close(&story->out_rx);
        parcel_sender_close(&story->on_tx);
        parcel_receiver_close(&story->on_rx);
        parcel_sender_close(&story->back_tx);
        atomic_store(&story->shared->has_begun[SENDER], true);
        sender.marks = new_stream(story, true);
        sender.notes = new_stream(story, true);
        for (uint32_t step = 0; step < story->steps; step++) {
                do_something(&sender);
                atomic_fetch_add(&story->shared->turns[SENDER], 1);
        }
        atomic_store(&story->shared->is_leaving[SENDER], true);
        while (sender.n_privates > 0)
                drop_private(&sender, 0);
        mark_sender_close(&story->marks_tx);
        note_sender_close(&story->notes_tx);
        parcel_sender_close(&story->out_tx);
        parcel_receiver_close(&story->back_rx);
}
