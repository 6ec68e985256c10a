/* One ring, two sides at full speed: records of random sizes, in batches, checked to the last byte; sleeping
 * at once, or spinning first. Two processes; two threads where ThreadSanitizer looks on (of one mapping: it
 * cannot connect two). A lost wake-up is a hang, which the watchdog ends. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "ring.h"
#include "ring_memory.h"
#include "spin.h"

#include "in_child.h"

#define SIZE ((size_t) 16 * 1024)

struct stress {
        uint32_t n_records;
        uint32_t largest_payload;
        uint32_t largest_batch;
        bool spins;
        int fd;
        int bells[2]; /* The writer's end, the reader's end. */
        void *memory; /* Of threads. */
};

static uint32_t next_random(uint32_t *state) {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        return *state;
}

static void ring_bell(int fd) {
        ssize_t n = send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);

        check(n == 1 || errno == EAGAIN); /* Full of bells is rung: this test waits by level. */
}

static void sleep_until_bell(int fd) {
        char byte;

        check(recv(fd, &byte, 1, 0) == 1);
}

static void fill(uint8_t *payload, uint32_t size, uint32_t number) {
        for (uint32_t i = 0; i < size; i++)
                payload[i] = (uint8_t) (number * 31 + i * 7 + (i >> 8));
}

static void wait_for_room(struct ring_writer *writer, size_t size, const struct stress *stress,
                          struct spinner *spinner) {
        if (stress->spins && spin_may(spinner, ring_reader_core(writer))) {
                spin_start(spinner);
                while (spin_goes_on(spinner))
                        if (ring_look_for_room(writer, size)) {
                                spin_succeeded(spinner);
                                return;
                        }
        }
        ring_set_writer_core(writer, spin_core());
        if (ring_writer_arm(writer, size))
                sleep_until_bell(stress->bells[0]);
        check(!writer->broken);
}

static void publish(struct ring_writer *writer, const struct stress *stress) {
        ring_publish(writer);
        if (ring_takes_reader_waits(writer))
                ring_bell(stress->bells[0]);
}

static void write_all(const struct stress *stress, void *memory) {
        uint32_t state = 12345, batch_state = 777, left = 0;
        struct ring_writer writer;
        struct spinner spinner = { 0 };

        ring_writer_init(&writer, memory, SIZE, SIZE, 0);
        for (uint32_t i = 0; i < stress->n_records; i++) {
                uint32_t size = next_random(&state) % (stress->largest_payload + 1);
                void *place;

                while (!(place = ring_reserve(&writer, size))) {
                        publish(&writer,
                                stress); /* The reader could not make room for what it does not see. */
                        wait_for_room(&writer, size, stress, &spinner);
                }
                fill(place, size, i);
                ring_append(&writer, (struct ring_record){ .size = size, .kind = 1, .aux = (uint8_t) i });
                if (left-- == 0) {
                        publish(&writer, stress);
                        left = next_random(&batch_state) % stress->largest_batch;
                }
        }
        publish(&writer, stress);
}

static void publish_tail(struct ring_reader *reader, const struct stress *stress) {
        if (ring_publish_tail(reader))
                ring_bell(stress->bells[1]);
}

static void wait_for_record(struct ring_reader *reader, const struct stress *stress,
                            struct spinner *spinner) {
        struct ring_record record;

        if (stress->spins && spin_may(spinner, ring_writer_core(reader))) {
                spin_start(spinner);
                while (spin_goes_on(spinner))
                        if (ring_peek(reader, &record) != RING_EMPTY) {
                                spin_succeeded(spinner);
                                return;
                        }
        }
        ring_set_reader_core(reader, spin_core());
        publish_tail(reader, stress);
        if (ring_reader_arm(reader))
                sleep_until_bell(stress->bells[1]);
}

static void read_all(const struct stress *stress, void *memory) {
        static uint8_t expected[SIZE];
        uint32_t state = 12345;
        struct ring_reader reader;
        struct spinner spinner = { 0 };

        ring_reader_init(&reader, memory, SIZE, SIZE, 0);
        for (uint32_t i = 0; i < stress->n_records; i++) {
                uint32_t size = next_random(&state) % (stress->largest_payload + 1);
                struct ring_record record = { 0 };
                enum ring_state found;

                if (i % 1024 == 0)
                        watchdog(WATCHDOG_SECONDS); /* Slow is no hang. */

                while ((found = ring_peek(&reader, &record)) == RING_EMPTY)
                        wait_for_record(&reader, stress, &spinner);
                check_equal(found, RING_RECORD);
                check_equal(record.size, size);
                check_equal(record.aux, (uint8_t) i);
                fill(expected, size, i);
                check(memcmp(ring_payload(&reader), expected, size) == 0);
                if (ring_consume(&reader, record))
                        publish_tail(&reader, stress);
        }
}

#ifdef __SANITIZE_THREAD__
static void *write_in_thread(void *argument) {
        const struct stress *stress = argument;

        write_all(stress, stress->memory);
        return NULL;
}

static void run_sides(struct stress *stress) {
        pthread_t thread;

        check(ring_memory_map(stress->fd, SIZE, &stress->memory) == 0);
        check(pthread_create(&thread, NULL, write_in_thread, stress) == 0);
        read_all(stress, stress->memory);
        check(pthread_join(thread, NULL) == 0);
        (void) ring_memory_unmap(stress->memory, SIZE);
}
#else
static void run_sides(struct stress *stress) {
        void *memory;
        pid_t child = fork();

        check(child >= 0);
        check(ring_memory_map(stress->fd, SIZE, &memory) == 0);
        if (child == 0) {
                write_all(stress, memory);
                leave_child(0);
        }
        read_all(stress, memory);
        check_equal(wait_for_exit(child), 0);
        (void) ring_memory_unmap(memory, SIZE);
}
#endif

static void run(uint32_t n_records, uint32_t largest_payload, uint32_t largest_batch, bool spins) {
        struct stress stress = { .n_records = n_records,
                                 .largest_payload = largest_payload,
                                 .largest_batch = largest_batch,
                                 .spins = spins };

        check(ring_memory_create(SIZE, &stress.fd) == 0);
        check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, stress.bells) == 0);
        run_sides(&stress);
        (void) close(stress.fd);
        (void) close(stress.bells[0]);
        (void) close(stress.bells[1]);
}

int main(void) {
        int n = count_descriptors();

        for (int spins = 0; spins < 2; spins++) {
                run(100000, 100, 1, spins);
                run(100000, 300, 16, spins);
                run(2000, SIZE / 2, 1, spins);
                run(2000, SIZE - 24, 3,
                    spins); /* Up to the largest of all: every one waits for the whole ring. */
                run(100000, 0, 5, spins);
        }
        check_equal(count_descriptors(), n);
        return 0;
}
