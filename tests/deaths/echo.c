/* The peer of who stands in the storm: every call of the other side that waits waits for this one. */
#include "storm.h"

enum { MARKS, NOTES, PARCELS, MEMBERS };

/* Reads all of it, and says how much there was. */
static void read_all(struct storm *storm, parcel *got) {
        mark_receiver rx = mark_receiver_take(&got->rx);
        uint64_t n = got->next;
        mark read;
        int r;

        while ((r = mark_recv(rx, &read, LEAT_FOREVER)) == 0) {
                check_mark(&storm->story, &read, got->who, n++);
                if (n % 512 == 0)
                        sleep_ms(1); /* So that its sender has to wait for room. */
        }
        check_equal(r, LEAT_DISCONNECTED);
        mark_receiver_close(&rx);
        check_equal(mark_send(storm->back_marks_tx, &(mark){ .who = got->who, .index = n }, LEAT_FOREVER), 0);
}

static int take_one(struct storm *storm, uint64_t key) {
        mark got_mark;
        note got_note;
        parcel got_parcel;
        int r;

        switch (key) {
        case MARKS:
                r = mark_recv(storm->story.marks_rx, &got_mark, LEAT_NOW);
                if (r == 0)
                        check_equal(mark_send(storm->back_marks_tx, &got_mark, LEAT_FOREVER), 0);
                return r;
        case NOTES:
                r = note_recv(storm->story.notes_rx, &got_note, LEAT_NOW);
                if (r == 0 && answer_sender_is_set(got_note.reply))
                        check_equal(answer_send(got_note.reply, &(answer){ .index = got_note.index },
                                                LEAT_FOREVER),
                                    0);
                else if (r == 0)
                        check_equal(note_send(storm->back_notes_tx, &got_note, LEAT_FOREVER), 0);
                note_release(storm->story.notes_rx);
                return r;
        default:
                r = parcel_recv(storm->story.out_rx, &got_parcel, LEAT_NOW);
                if (r == 0)
                        read_all(storm, &got_parcel);
                return r;
        }
}

void play_echo(struct storm *storm) {
        struct story *story = &storm->story;
        leat_set set;
        uint64_t key;

        check_equal(leat_set_create(&set), 0);
        check_equal(mark_set_add(set, story->marks_rx, MARKS), 0);
        check_equal(note_set_add(set, story->notes_rx, NOTES), 0);
        check_equal(parcel_set_add(set, story->out_rx, PARCELS), 0);
        for (int open = MEMBERS; open > 0;) {
                int r;

                check_equal(leat_set_wait(set, &key, LEAT_FOREVER), 0);
                r = take_one(storm, key);
                check(r == 0 || r == LEAT_EMPTY || r == LEAT_DISCONNECTED);
                open -= r == LEAT_DISCONNECTED;
        }
        leat_set_close(&set);
        mark_receiver_close(&story->marks_rx);
        note_receiver_close(&story->notes_rx);
        parcel_receiver_close(&story->out_rx);
        mark_sender_close(&storm->back_marks_tx);
        note_sender_close(&storm->back_notes_tx);
}
