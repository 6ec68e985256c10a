/* A program that test_spawn starts with a channel in its hands; what it does with it is its first
 * argument. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spawned.h"
#include "support.h"

static number_receiver receiver(void) {
        number_receiver rx = { 0 };

        check_equal(number_inherited_receiver(&rx), 0);
        check(!getenv("LEAT_INHERITED"));
        return rx;
}

static number_sender sender(void) {
        number_sender tx = { 0 };

        check_equal(number_inherited_sender(&tx), 0);
        check(!getenv("LEAT_INHERITED"));
        return tx;
}

/* Ends with the number of messages, which count up from 0. */
static int count(void) {
        number_receiver rx = receiver();
        uint64_t n = 0;
        number got;
        int r;

        while ((r = number_recv(rx, &got, LEAT_FOREVER)) == 0)
                check_equal(got.value, n++);
        check_equal(r, LEAT_DISCONNECTED);
        number_receiver_close(&rx);
        return (int) n;
}

static int answer(void) {
        ask_receiver rx = { 0 };
        ask got;
        int r;

        check_equal(ask_inherited_receiver(&rx), 0);
        while ((r = ask_recv(rx, &got, LEAT_FOREVER)) == 0)
                check_equal(number_send(got.reply, &(number){ got.value * 2 }, LEAT_FOREVER), 0);
        check_equal(r, LEAT_DISCONNECTED);
        ask_receiver_close(&rx);
        return 0;
}

static int send_some(int n) {
        number_sender tx = sender();

        for (int i = 0; i < n; i++)
                check_equal(number_send(tx, &(number){ 1000 + (uint64_t) i }, LEAT_FOREVER), 0);
        number_sender_close(&tx);
        return 0;
}

static int ask_for_more_than_there_is(void) {
        number_sender tx = { 0 }, second = { 0 };
        number_receiver rx = { 0 };
        other_sender wrong = { 0 };

        check_equal(number_inherited_receiver(&rx), LEAT_TYPE_MISMATCH);
        check_equal(other_inherited_sender(&wrong), LEAT_TYPE_MISMATCH);
        check_equal(number_inherited_sender(&tx), 0);
        check_equal(number_inherited_sender(&second), -ENOENT);
        check_equal(number_inherited_receiver(&rx), -ENOENT);
        check(!number_sender_is_set(second) && !number_receiver_is_set(rx) && !other_sender_is_set(wrong));
        check_equal(number_send(tx, &(number){ 1 }, LEAT_FOREVER), 0);
        number_sender_close(&tx);
        return 0;
}

/* Of any type, and then of the right one. */
static int take_as_opaque(void) {
        leat_opaque_receiver receivers = { 0 };
        leat_opaque_sender senders = { 0 };
        number_sender tx = { 0 };

        check_equal(leat_opaque_inherited_receiver(&receivers), LEAT_TYPE_MISMATCH);
        check_equal(leat_opaque_inherited_sender(&senders), 0);
        check_equal(leat_opaque_inherited_sender(&senders), -ENOENT);
        check_equal(other_sender_from_opaque(&senders, &(other_sender){ 0 }), LEAT_TYPE_MISMATCH);
        check_equal(number_sender_from_opaque(&senders, &tx), 0);
        check_equal(number_send(tx, &(number){ 1 }, LEAT_FOREVER), 0);
        number_sender_close(&tx);
        return 0;
}

static int have_nothing(void) {
        number_sender tx = { 0 };
        number_receiver rx = { 0 };

        check_equal(number_inherited_sender(&tx), -ENOENT);
        check_equal(number_inherited_receiver(&rx), -ENOENT);
        return 0;
}

/* LEAT_INHERITED names what it should not. */
static int have_rubbish(void) {
        number_sender tx = { 0 };
        int n = count_descriptors();

        check_equal(number_inherited_sender(&tx), -EBADF);
        check(!getenv("LEAT_INHERITED"));
        check_equal(number_inherited_sender(&tx), -ENOENT);
        check_equal(count_descriptors(), n);
        return 0;
}

/* Says how many descriptors it has, its own sender's included. */
static int say_descriptors(void) {
        number_sender tx = sender();

        check_equal(number_send(tx, &(number){ (uint64_t) count_descriptors() }, LEAT_FOREVER), 0);
        number_sender_close(&tx);
        return 0;
}

static int say_environment(void) {
        number_sender tx = sender();
        const char *value = getenv("SPAWNED_TEST");

        check_equal(number_send(tx, &(number){ value ? strtoull(value, NULL, 10) : 0 }, LEAT_FOREVER), 0);
        number_sender_close(&tx);
        return 0;
}

int main(int argc, char **argv) {
        const char *what = argc > 1 ? argv[1] : "";

        watchdog(60);
        if (strcmp(what, "count") == 0)
                return count();
        if (strcmp(what, "answer") == 0)
                return answer();
        if (strcmp(what, "send") == 0)
                return send_some(10);
        if (strcmp(what, "ask") == 0)
                return ask_for_more_than_there_is();
        if (strcmp(what, "opaque") == 0)
                return take_as_opaque();
        if (strcmp(what, "nothing") == 0)
                return have_nothing();
        if (strcmp(what, "rubbish") == 0)
                return have_rubbish();
        if (strcmp(what, "descriptors") == 0)
                return say_descriptors();
        if (strcmp(what, "bare") == 0)
                return count_descriptors();
        if (strcmp(what, "environment") == 0)
                return say_environment();
        if (strcmp(what, "ignore") == 0)
                return 0;
        if (strcmp(what, "on") == 0) { /* Becomes another program without having asked. */
                execv(argv[0], (char *[]){ argv[0], (char *) "send", NULL });
                return 126;
        }
        return 127;
}
