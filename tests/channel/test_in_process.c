/* Both ends in one process, on two threads: typed messages with every kind of handle, requests, sets whose
 * members come and go in other threads, and ends that are closed while the other thread is in the middle of
 * something. Nothing that ThreadSanitizer would complain of. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(answer, (u64, value), (string, words));
LEAT_MESSAGE(question, (u64, value), (string, words), (sender, answer, reply), (receiver, number, numbers),
             (descriptor, file), (shared_memory, frame));
LEAT_REQUEST(question, reply, answer);
LEAT_MESSAGE(blob, (u64, value), (bytes, data), (optional, sender, number, tell));
LEAT_MESSAGE(new_member, (receiver, blob, from));

enum { TIMES = UNDER_TSAN ? 60 : 100 };

static pthread_t start(void *(*run)(void *), void *data) {
        pthread_t thread;

        check_equal(pthread_create(&thread, NULL, run, data), 0);
        return thread;
}

static void finish(pthread_t thread) {
        check_equal(pthread_join(thread, NULL), 0);
}

/* ---- requests with handles of every kind ---- */

/* Answers with the sum of all that came along. */
static void *answer_questions(void *receiver) {
        question_receiver *questions = receiver;
        question got;
        int r;

        while ((r = question_recv(*questions, &got, LEAT_FOREVER)) == 0) {
                uint64_t sum = got.value + leat_shared_memory_size(got.frame);
                const void *frame;
                number one;
                char byte;

                check_equal(leat_shared_memory_data(got.frame, &frame), 0);
                check(memcmp(frame, "frame", 5) == 0);
                check_equal(read(leat_descriptor_number(got.file), &byte, 1), 1);
                while (number_recv(got.numbers, &one, LEAT_FOREVER) == 0)
                        sum += one.value;
                check_equal(answer_send(got.reply, &(answer){ sum, got.words }, LEAT_FOREVER), 0);
                question_release(*questions);
        }
        check_equal(r, LEAT_DISCONNECTED);
        question_receiver_close(questions);
        return NULL;
}

static void questions_carry_everything(void) {
        question_sender to;
        question_receiver questions;
        leat_shared_memory frame;
        int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        pthread_t thread;

        check_equal(question_channel(&to, &questions), 0);
        check_equal(leat_shared_memory_copy("frame", 5, &frame), 0);
        thread = start(answer_questions, &questions);
        for (uint64_t i = 0; i < TIMES; i++) {
                answer_receiver answers = { 0 };
                number_receiver numbers;
                number_sender feed;
                answer got;

                check_equal(number_channel(&feed, &numbers), 0);
                check_equal(number_send(feed, &(number){ 10 }, LEAT_NOW), 0);
                check_equal(number_send(feed, &(number){ 20 }, LEAT_NOW), 0);
                number_sender_close(&feed);
                check_equal(question_ask(to,
                                         &(question){ .value = i,
                                                      .words = "words",
                                                      .numbers = number_receiver_give(&numbers),
                                                      .file = leat_descriptor_lend(file),
                                                      .frame = frame },
                                         &answers, &got, LEAT_FOREVER),
                            0);
                check_equal(got.value, i + 5 + 30);
                check(strcmp(got.words, "words") == 0);
                answer_receiver_close(&answers);
        }
        question_sender_close(&to);
        finish(thread);
        leat_shared_memory_close(&frame);
        close(file);
}

/* ---- sets ---- */

struct feeder {
        pthread_t thread;
        blob_sender tx;
        number_sender tell;
        uint64_t n;
};

/* Some small, some larger than a packet, some with a sender; then the end. */
static void *feed(void *data) {
        static const size_t sizes[] = { 0, 10, 3000, 70000, 1 };
        struct feeder *feeder = data;
        unsigned char *bytes = calloc(1, 70000);

        check(bytes != NULL);
        for (uint64_t i = 0; i < feeder->n; i++) {
                blob message = { .value = i, .data = { bytes, sizes[i % 5] } };

                if (i % 7 == 0) {
                        message.tell.present = true;
                        message.tell.value = feeder->tell;
                }
                check_equal(blob_send(feeder->tx, &message, LEAT_FOREVER), 0);
        }
        free(bytes);
        blob_sender_close(&feeder->tx);
        number_sender_close(&feeder->tell);
        return NULL;
}

enum { FEEDERS = 4 };

/* Waits with or without the set's own descriptor. Each member's messages are in order, and its end behind
 * them. */
static void read_all(leat_set set, blob_receiver *rx, bool by_poll) {
        uint64_t next[FEEDERS] = { 0 }, key;
        int n_open = FEEDERS, r;
        blob got;

        while (n_open > 0) {
                struct pollfd poll_fd = { .events = POLLIN };

                r = leat_set_wait(set, &key, by_poll ? LEAT_NOW : LEAT_FOREVER);
                if (r == LEAT_EMPTY) {
                        if (leat_set_arm(set, &poll_fd.fd) == 0)
                                check_equal(poll(&poll_fd, 1, 60000), 1);
                        continue;
                }
                check_equal(r, 0);
                r = blob_recv(rx[key], &got, LEAT_NOW);
                if (r == LEAT_DISCONNECTED) {
                        check_equal(next[key], TIMES);
                        n_open--;
                } else if (r == 0) {
                        check_equal(got.value, next[key]++);
                        check(got.tell.present == (got.value % 7 == 0));
                        if (got.tell.present)
                                check_equal(number_send(got.tell.value, &(number){ got.value }, LEAT_FOREVER),
                                            0);
                } else {
                        check_equal(r, LEAT_EMPTY);
                }
        }
}

static void *count_numbers(void *receiver) {
        uint64_t n = 0;
        number got;

        while (number_recv(*(number_receiver *) receiver, &got, LEAT_FOREVER) == 0)
                n++;
        check_equal(n, (uint64_t) FEEDERS * ((TIMES + 6) / 7));
        return NULL;
}

static void a_set_reads_what_many_threads_send(bool by_poll) {
        struct feeder feeders[FEEDERS];
        blob_receiver rx[FEEDERS];
        number_receiver told;
        number_sender tell;
        pthread_t counter;
        leat_set set;

        check_equal(leat_set_create(&set), 0);
        check_equal(number_channel(&tell, &told), 0);
        for (uint64_t i = 0; i < FEEDERS; i++) {
                feeders[i].n = TIMES;
                check_equal(blob_channel(&feeders[i].tx, &rx[i]), 0);
                check_equal(number_sender_clone(tell, &feeders[i].tell), 0);
                check_equal(blob_set_add(set, rx[i], i), 0);
        }
        number_sender_close(&tell);
        counter = start(count_numbers, &told);
        for (int i = 0; i < FEEDERS; i++)
                feeders[i].thread = start(feed, &feeders[i]);
        read_all(set, rx, by_poll);
        for (int i = 0; i < FEEDERS; i++) {
                finish(feeders[i].thread);
                blob_receiver_close(&rx[i]);
        }
        finish(counter);
        number_receiver_close(&told);
        leat_set_close(&set);
}

/* Makes channels, gives their receivers to the thread with the set, and feeds them. */
static void *make_members(void *sender) {
        new_member_sender *to = sender;

        for (uint64_t i = 0; i < TIMES; i++) {
                blob_receiver rx;
                blob_sender tx;
                int r;

                check_equal(blob_channel(&tx, &rx), 0);
                check_equal(blob_send(tx, &(blob){ .value = 1 }, LEAT_NOW), 0);
                check_equal(new_member_send(*to, &(new_member){ blob_receiver_give(&rx) }, LEAT_FOREVER), 0);
                r = blob_send(tx, &(blob){ .value = 2 }, LEAT_FOREVER);
                check(r == 0 || (r == LEAT_DISCONNECTED && i % 3 == 0));
                blob_sender_close(&tx);
        }
        new_member_sender_close(to);
        return NULL;
}

/* Takes those in that come while it waits; one in three it drops before its end. */
static void members_come_and_go_while_a_set_waits(void) {
        static blob_receiver members[TIMES];
        new_member_receiver newcomers;
        new_member_sender to;
        uint64_t n = 0, key;
        int n_open = 1;
        pthread_t maker;
        new_member got_member;
        leat_set set;
        blob got;
        int r;

        check_equal(leat_set_create(&set), 0);
        check_equal(new_member_channel(&to, &newcomers), 0);
        check_equal(new_member_set_add(set, newcomers, TIMES), 0);
        maker = start(make_members, &to);
        while (n_open > 0) {
                check_equal(leat_set_wait(set, &key, LEAT_FOREVER), 0);
                r = key == TIMES ? new_member_recv(newcomers, &got_member, LEAT_NOW)
                                 : blob_recv(members[key], &got, LEAT_NOW);
                if (r == 0 && key == TIMES) {
                        members[n] = blob_receiver_take(&got_member.from);
                        check_equal(blob_set_add(set, members[n], n), 0);
                        n_open++;
                        if (n++ % 3 == 0) {
                                blob_receiver_close(&members[n - 1]);
                                n_open--;
                        }
                } else if (r == 0) {
                        check(got.value == 1 || got.value == 2);
                } else if (r == LEAT_DISCONNECTED) {
                        if (key != TIMES)
                                blob_receiver_close(&members[key]);
                        n_open--;
                } else {
                        check_equal(r, LEAT_EMPTY);
                }
        }
        check_equal(n, TIMES);
        finish(maker);
        new_member_receiver_close(&newcomers);
        leat_set_close(&set);
}

/* ---- closing while the other thread is busy with it ---- */

static void *send_until_the_end(void *data) {
        struct feeder *feeder = data;
        static const unsigned char bytes[70000];
        uint64_t i = 0;
        int r;

        do {
                blob message = { .value = i, .data = { bytes, i % 11 == 0 ? sizeof(bytes) : 50 } };

                if (i % 5 == 0) {
                        message.tell.present = true;
                        message.tell.value = feeder->tell;
                }
                r = blob_send(feeder->tx, &message, i % 2 ? LEAT_FOREVER : leat_after_ms(60000));
                i++;
        } while (r == 0);
        check_equal(r, LEAT_DISCONNECTED);
        blob_sender_close(&feeder->tx);
        number_sender_close(&feeder->tell);
        return NULL;
}

/* After none, some and many of its messages; what waits unread has handles in it, which end too. */
static void a_receiver_is_closed_while_others_send(void) {
        for (int round = 0; round < TIMES / 4; round++) {
                struct feeder feeders[2];
                number_sender tell;
                number_receiver told;
                blob_receiver rx;
                number got_number;
                blob got;

                check_equal(blob_channel(&feeders[0].tx, &rx), 0);
                check_equal(blob_sender_clone(feeders[0].tx, &feeders[1].tx), 0);
                check_equal(number_channel(&tell, &told), 0);
                for (int i = 0; i < 2; i++)
                        check_equal(number_sender_clone(tell, &feeders[i].tell), 0);
                number_sender_close(&tell);
                for (int i = 0; i < 2; i++)
                        feeders[i].thread = start(send_until_the_end, &feeders[i]);
                for (int i = 0; i < round * 4; i++)
                        check_equal(blob_recv(rx, &got, LEAT_FOREVER), 0);
                blob_receiver_close(&rx);
                for (int i = 0; i < 2; i++)
                        finish(feeders[i].thread);
                check_equal(number_recv(told, &got_number, LEAT_FOREVER), LEAT_DISCONNECTED);
                number_receiver_close(&told);
        }
}

struct listener {
        blob_receiver rx;
        bool in_a_set;
        uint64_t n_got;
};

/* Receives until the end, in one of three ways. */
static void *listen_until_the_end(void *data) {
        struct listener *listener = data;
        uint64_t key;
        leat_set set;
        blob got;
        int r;

        if (!listener->in_a_set) {
                while ((r = blob_recv(listener->rx, &got,
                                      listener->n_got % 2 ? LEAT_FOREVER : leat_after_ms(60000))) == 0)
                        check_equal(got.value, listener->n_got++);
        } else {
                check_equal(leat_set_create(&set), 0);
                check_equal(blob_set_add(set, listener->rx, 3), 0);
                do {
                        check_equal(leat_set_wait(set, &key, LEAT_FOREVER), 0);
                        r = blob_recv(listener->rx, &got, LEAT_NOW);
                        if (r == 0)
                                check_equal(got.value, listener->n_got++);
                } while (r == 0 || r == LEAT_EMPTY);
                leat_set_close(&set);
        }
        check_equal(r, LEAT_DISCONNECTED);
        blob_receiver_close(&listener->rx);
        return NULL;
}

/* At any moment: while it waits, while it reads, before it has begun. */
static void a_sender_is_closed_while_the_other_receives(bool in_a_set) {
        for (uint64_t round = 0; round < TIMES / 2; round++) {
                struct listener listener = { .in_a_set = in_a_set };
                pthread_t thread;
                blob_sender tx;

                check_equal(blob_channel(&tx, &listener.rx), 0);
                thread = start(listen_until_the_end, &listener);
                if (round % 4 == 0)
                        sleep_ms(1);
                for (uint64_t i = 0; i < round; i++)
                        check_equal(blob_send(tx, &(blob){ .value = i }, LEAT_FOREVER), 0);
                if (round % 4 == 1)
                        sleep_ms(1);
                blob_sender_close(&tx);
                finish(thread);
                check_equal(listener.n_got, round);
        }
}

/* One that waits on a set's sender for room is woken when the receiver goes in another thread. */
static void *close_receiver_late(void *receiver) {
        sleep_ms(5);
        number_receiver_close(receiver);
        return NULL;
}

static void a_set_that_waits_for_room_hears_of_the_end(void) {
        number_receiver rx;
        number_sender tx;
        pthread_t thread;
        uint64_t key;
        leat_set set;
        int r;

        check_equal(leat_set_create(&set), 0);
        check_equal(number_channel(&tx, &rx), 0);
        while ((r = number_send(tx, &(number){ 1 }, LEAT_NOW)) == 0)
                ;
        check_equal(r, LEAT_FULL);
        check_equal(number_set_add_sender(set, tx, 8), 0);
        thread = start(close_receiver_late, &rx);
        do {
                check_equal(leat_set_wait(set, &key, LEAT_FOREVER), 0);
                check_equal(key, 8);
        } while ((r = number_send(tx, &(number){ 1 }, LEAT_NOW)) == LEAT_FULL);
        check_equal(r, LEAT_DISCONNECTED);
        finish(thread);
        check_equal(leat_set_remove(set, 8), 0);
        number_sender_close(&tx);
        leat_set_close(&set);
}

int main(void) {
        int before;

        watchdog(120);
        a_set_that_waits_for_room_hears_of_the_end(); /* The library's own descriptors, if any, are there from
                                                       * now on. */
        before = count_descriptors();
        questions_carry_everything();
        a_set_reads_what_many_threads_send(false);
        a_set_reads_what_many_threads_send(true);
        members_come_and_go_while_a_set_waits();
        a_receiver_is_closed_while_others_send();
        a_sender_is_closed_while_the_other_receives(false);
        a_sender_is_closed_while_the_other_receives(true);
        a_set_that_waits_for_room_hears_of_the_end();
        check_equal(settle_descriptors(before), before);
        return 0;
}
