/* Messages with handles: what is given and not sent is kept, what is lost on its way is closed, and what
 * arrives works. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "world.h"

/* Where the ends are whose other ends travel. */
enum { ANSWERS, NUMBERS, OPAQUE };

#define N_FILES 3

/* One of everything, to be given; made anew for each message. */
static leat_descriptor files[N_FILES];

static void open_wares(void) {
        need(number_channel(&world.numbers_tx[ANSWERS], &world.numbers_rx[ANSWERS]), SHORTAGES);
        need(number_channel(&world.numbers_tx[NUMBERS], &world.numbers_rx[NUMBERS]), SHORTAGES);
        need(letter_channel(&world.letters_tx[0], &world.letters_rx[0]), SHORTAGES);
        world.opaque_tx = letter_sender_to_opaque(&world.letters_tx[0]);
        need(number_channel(&world.numbers_tx[OPAQUE], &world.numbers_rx[OPAQUE]), SHORTAGES);
        world.opaque_rx = number_receiver_to_opaque(&world.numbers_rx[OPAQUE]);
        need(leat_shared_memory_copy("frame", 5, &world.memory[0]), SHORTAGES, -ENOSPC);
        fault_pass_over(); /* The test's own. */
        world.files[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
        world.files[1] = memfd_create("file", MFD_CLOEXEC);
        check(world.files[0] > 0 && world.files[1] > 0);
        fault_go_on();
}

static parcel make_parcel(size_t data_size) {
        files[0] = leat_descriptor_give(&world.files[0]);
        files[1] = leat_descriptor_lend(STDIN_FILENO);
        files[2] = leat_descriptor_give(&world.files[1]);
        return (parcel){ .value = last_number,
                         .files = { files, N_FILES },
                         .answers = number_sender_give(&world.numbers_tx[ANSWERS]),
                         .numbers = number_receiver_give(&world.numbers_rx[NUMBERS]),
                         .frame = leat_shared_memory_give(&world.memory[0]),
                         .any_sender = leat_opaque_sender_give(&world.opaque_tx),
                         .any_receiver = leat_opaque_receiver_give(&world.opaque_rx),
                         .data = { large, data_size } };
}

static void check_given(bool given) {
        check_equal(world.files[0] < 0 && world.files[1] < 0, given);
        check_equal(!number_sender_is_set(world.numbers_tx[ANSWERS]), given);
        check_equal(!number_receiver_is_set(world.numbers_rx[NUMBERS]), given);
        check_equal(!world.memory[0].object, given);
        check_equal(!leat_opaque_sender_is_set(world.opaque_tx), given);
        check_equal(!leat_opaque_receiver_is_set(world.opaque_rx), given);
        if (!given)
                check(fcntl(world.files[0], F_GETFD) >= 0 && fcntl(world.files[1], F_GETFD) >= 0);
}

static void send_wares(size_t data_size) {
        parcel message;
        int r;

        for (int tried = 0;; tried++) {
                last_number++;
                message = make_parcel(data_size);
                r = parcel_send(world.parcels_tx[0], &message, patience());
                check_given(r == 0);
                if (r == 0)
                        return;
                may_fail("parcel_send", r, tried, SEND_FAILURES);
        }
}

/* The other ends of what was lost hear of it. */
static void close_lost_wares(void) {
        number got;
        int r;

        for (int tried = 0;
             (r = number_recv(world.numbers_rx[ANSWERS], &got, patience())) != LEAT_DISCONNECTED; tried++)
                may_fail("number_recv", r, tried, RECEIVE_FAILURES);
        for (int64_t end = clock_ms() + PATIENCE_MS; number_sender_is_connected(world.numbers_tx[NUMBERS]) ||
                                                     number_sender_is_connected(world.numbers_tx[OPAQUE]);) {
                check(clock_ms() < end);
                fault_lift(); /* Who cannot ask takes them for connected. */
                sleep_ms(1);
        }
        number_receiver_close(&world.numbers_rx[ANSWERS]);
        number_sender_close(&world.numbers_tx[NUMBERS]);
        number_sender_close(&world.numbers_tx[OPAQUE]);
        end_letter(&world.letters_tx[0], &world.letters_rx[0]);
}

static void use_wares(parcel *got, size_t data_size) {
        number message, other;
        letter opaque = { .words = "by an opaque end" }, opaque_got;
        const void *bytes;

        check_equal(got->files.count, N_FILES);
        for (int i = 0; i < N_FILES; i++)
                check_equal(fcntl(leat_descriptor_number(got->files.items[i]), F_GETFD), FD_CLOEXEC);
        check_equal(got->data.size, data_size);
        need(leat_shared_memory_data(got->frame, &bytes), SHORTAGES);
        check_equal(memcmp(bytes, "frame", 5), 0);

        world.numbers_tx[ANSWERS] = number_sender_take(&got->answers);
        world.numbers_rx[NUMBERS] = number_receiver_take(&got->numbers);
        world.memory[0] = leat_shared_memory_take(&got->frame);
        need(letter_sender_from_opaque(&got->any_sender, &world.letters_tx[0]), SHORTAGES);
        need(number_receiver_from_opaque(&got->any_receiver, &world.numbers_rx[OPAQUE]), SHORTAGES);
        world.files[0] = leat_descriptor_take(&got->files.items[0]);
        close(world.files[0]);
        world.files[0] = 0;
        for (int i = 0; i < 3; i++) {
                pass_number(world.numbers_tx[ANSWERS], world.numbers_rx[ANSWERS], &message, &other);
                pass_number(world.numbers_tx[NUMBERS], world.numbers_rx[NUMBERS], &message, &other);
                pass_number(world.numbers_tx[OPAQUE], world.numbers_rx[OPAQUE], &message, &other);
                pass_letter(world.letters_tx[0], world.letters_rx[0], &opaque, &opaque_got);
        }
}

static void pass_wares(const struct leat_channel_options *options, size_t data_size, int count) {
        parcel got;

        need(parcel_channel_with(options, &world.parcels_tx[0], &world.parcels_rx[0]), SHORTAGES);
        while (count-- > 0) {
                for (;;) {
                        open_wares();
                        send_wares(data_size);
                        if (receive_parcel(world.parcels_rx[0], &got))
                                break;
                        close_lost_wares();
                }
                use_wares(&got, data_size);
                leat_shared_memory_close(&world.memory[0]);
                end_letter(&world.letters_tx[0], &world.letters_rx[0]);
                for (int i = ANSWERS; i <= OPAQUE; i++)
                        end_number(&world.numbers_tx[i], &world.numbers_rx[i]);
                parcel_release(world.parcels_rx[0]);
        }
}

static void handles(void) {
        pass_wares(NULL, 10, 2);
}

static void handles_large(void) {
        pass_wares(NULL, LARGE, 1);
}

static void handles_in_lane(void) {
        pass_wares(&(struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS }, 10, 2);
}

/* Nobody takes anything out of the messages, or even the messages. */
static void untaken(void) {
        parcel got;

        need(parcel_channel(&world.parcels_tx[0], &world.parcels_rx[0]), SHORTAGES);
        open_wares();
        send_wares(10);
        if (receive_parcel(world.parcels_rx[0], &got))
                parcel_release(world.parcels_rx[0]);
        close_lost_wares();
        open_wares();
        send_wares(10);
        parcel_receiver_close(&world.parcels_rx[0]);
        close_lost_wares();
        parcel_sender_close(&world.parcels_tx[0]);
}

/* A receiver goes with its lanes, with what it has read ahead, and with what waits in it. */
static void move(void) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS };
        number message, got;
        parcel gift, arrived;
        int r;

        need(parcel_channel(&world.parcels_tx[0], &world.parcels_rx[0]), SHORTAGES);
        for (;;) {
                need(number_channel_with(&options, &world.numbers_tx[0], &world.numbers_rx[0]), SHORTAGES);
                need(number_sender_clone(world.numbers_tx[0], &world.numbers_tx[1]), SHORTAGES);
                pass_number(world.numbers_tx[0], world.numbers_rx[0], &message, &got);
                for (int i = 0; i < 5; i++) {
                        pass_number(world.numbers_tx[1], world.numbers_rx[0], &message, &got);
                        pass_number(world.numbers_tx[0], world.numbers_rx[0], &message, &got);
                }
                for (int i = 0; i < 5; i++)
                        row_send(world.numbers_tx[0]);
                for (int tried = 0;; tried++) {
                        gift = (parcel){ .value = ++last_number,
                                         .numbers = number_receiver_give(&world.numbers_rx[0]) };
                        r = parcel_send(world.parcels_tx[0], &gift, patience());
                        check_equal(!number_receiver_is_set(world.numbers_rx[0]), r == 0);
                        if (r == 0)
                                break;
                        may_fail("parcel_send", r, tried, SEND_FAILURES);
                }
                if (receive_parcel(world.parcels_rx[0], &arrived))
                        break;
                for (int64_t end = clock_ms() + PATIENCE_MS;
                     number_sender_is_connected(world.numbers_tx[0]);) {
                        check(clock_ms() < end);
                        sleep_ms(1);
                }
                number_sender_close(&world.numbers_tx[0]);
                number_sender_close(&world.numbers_tx[1]);
                row_forget();
        }
        world.numbers_rx[0] = number_receiver_take(&arrived.numbers);
        row_take(world.numbers_rx[0]);
        for (int i = 0; i < 3; i++) {
                pass_number(world.numbers_tx[0], world.numbers_rx[0], &message, &got);
                pass_number(world.numbers_tx[1], world.numbers_rx[0], &message, &got);
        }
}

/* A sender that is held already arrives as a clone of that. */
static void same_sender(void) {
        parcel gift, arrived;
        number message, got;

        need(parcel_channel(&world.parcels_tx[0], &world.parcels_rx[0]), SHORTAGES);
        need(number_channel(&world.numbers_tx[0], &world.numbers_rx[0]), SHORTAGES);
        for (int i = 0; i < 3; i++)
                pass_number(world.numbers_tx[0], world.numbers_rx[0], &message, &got);
        gift = (parcel){ .answers = world.numbers_tx[0] };
        pass_parcel(world.parcels_tx[0], world.parcels_rx[0], &gift, &arrived);
        world.numbers_tx[1] = number_sender_take(&arrived.answers);
        for (int i = 0; i < 3; i++) {
                pass_number(world.numbers_tx[1], world.numbers_rx[0], &message, &got);
                pass_number(world.numbers_tx[0], world.numbers_rx[0], &message, &got);
        }
}

/* Taken as it came, read twice, and sent on. */
static void undecoded(void) {
        parcel got;
        int r;

        need(parcel_channel(&world.parcels_tx[0], &world.parcels_rx[0]), SHORTAGES);
        need(parcel_channel(&world.parcels_tx[1], &world.parcels_rx[1]), SHORTAGES);
        for (int i = 0; i < 2; i++) {
                size_t data_size = i ? LARGE : 10;

                for (;;) {
                        open_wares();
                        send_wares(data_size);
                        for (int tried = 0; (r = parcel_recv_undecoded(world.parcels_rx[0], &world.undecoded,
                                                                       tried ? LEAT_NOW : patience())) != 0 &&
                                            !(tried > 0 && r == LEAT_EMPTY);
                             tried++)
                                may_fail("parcel_recv_undecoded", r, tried, RECEIVE_FAILURES);
                        if (r == 0) {
                                need(parcel_decode(world.undecoded, &got), SHORTAGES);
                                need(parcel_decode(world.undecoded, &got), SHORTAGES);
                                check_equal(got.value, last_number);
                                for (int tried = 0; (r = parcel_forward(world.parcels_tx[1], &world.undecoded,
                                                                        patience())) != 0;
                                     tried++) {
                                        check(world.undecoded.object != NULL);
                                        may_fail("parcel_forward", r, tried, SEND_FAILURES);
                                }
                                check(!world.undecoded.object);
                                if (receive_parcel(world.parcels_rx[1], &got))
                                        break;
                        }
                        close_lost_wares();
                }
                use_wares(&got, data_size);
                leat_shared_memory_close(&world.memory[0]);
                end_letter(&world.letters_tx[0], &world.letters_rx[0]);
                for (int k = ANSWERS; k <= OPAQUE; k++)
                        end_number(&world.numbers_tx[k], &world.numbers_rx[k]);
        }
}

const struct scenario scenarios_of_handles[] = {
        { "handles", handles },
        { "handles_large", handles_large },
        { "handles_in_lane", handles_in_lane },
        { "untaken", untaken },
        { "move", move },
        { "same_sender", same_sender },
        { "undecoded", undecoded },
        { NULL, NULL },
};
