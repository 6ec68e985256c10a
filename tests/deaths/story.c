/* What the actors of a run have in common: chance, the books that are kept of each stream, and messages whose
 * content says whose they are, so that a message, a byte or a descriptor that comes to the wrong place
 * shows. */
#include "story.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { AT_A_TIME = 64 };

static uint64_t mix(uint64_t x) {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
        return x ^ (x >> 31);
}

int64_t now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000LL + t.tv_nsec;
}

uint64_t next_random(struct story *story) {
        story->random += 0x9E3779B97F4A7C15U;
        return mix(story->random);
}

uint64_t random_below(struct story *story, uint64_t n) {
        return next_random(story) % n;
}

bool one_in(struct story *story, uint64_t n) {
        return random_below(story, n) == 0;
}

bool is_dying(const struct story *story, enum actor actor) {
        return atomic_load(&story->shared->about_to_die) == actor;
}

bool somebody_is_dying(const struct story *story) {
        return !is_dying(story, NOBODY);
}

uint32_t new_stream(struct story *story, bool is_main) {
        uint32_t who = atomic_fetch_add(&story->shared->n_streams, 1);

        check(who < STREAMS);
        atomic_store(&story->shared->streams[who].is_main, is_main);
        return who;
}

struct stream *stream_of(const struct story *story, uint32_t who) {
        check(who < STREAMS);
        return &story->shared->streams[who];
}

static uint64_t sum_of(const struct story *story, uint32_t who, uint64_t index) {
        return mix(story->seed ^ mix(story->run + 1) ^ mix(who * 0x10001UL + 7) ^ (index << 20));
}

mark mark_of(const struct story *story, uint32_t who, uint64_t index) {
        return (mark){ .who = who, .index = index, .after_who = NO_STREAM, .sum = sum_of(story, who, index) };
}

void check_mark(const struct story *story, const mark *got, uint32_t who, uint64_t index) {
        check_equal(got->who, who);
        check_equal(got->index, index);
        check_equal(got->sum, sum_of(story, who, index));
}

/* ---- notes ---- */

/* Bytes in which a shift shows, as long as two of the largest bodies may begin in different places of
 * them. */
static unsigned char noise[NOISE + 256];

void prepare_notes(void) {
        for (size_t i = 0; i < sizeof(noise); i++)
                noise[i] = (unsigned char) mix(i);
}

struct file_content {
        uint64_t sum;
        uint64_t number;
};

static int make_file(uint64_t sum, uint64_t number) {
        struct file_content content = { .sum = sum, .number = number };
        int fd = memfd_create("deaths", MFD_CLOEXEC);

        check(fd >= 0);
        check_equal(pwrite(fd, &content, sizeof(content), 0), sizeof(content));
        return fd;
}

note note_of(const struct story *story, uint32_t who, uint64_t index, size_t size, size_t n_files,
             struct note_content *content) {
        uint64_t sum = sum_of(story, who, index);

        check(size <= NOISE && n_files <= MAX_FILES);
        for (size_t i = 0; i < n_files; i++) {
                content->descriptors[i] = make_file(sum, i);
                content->files[i] = leat_descriptor_lend(content->descriptors[i]);
        }
        content->n_files = n_files;
        (void) snprintf(content->label, sizeof(content->label), "%zu %zu", size, n_files);
        return (note){ .who = who,
                       .index = index,
                       .label = content->label,
                       .data = { noise + sum % 256, size },
                       .files = { content->files, n_files } };
}

void note_content_close(struct note_content *content) {
        for (size_t i = 0; i < content->n_files; i++)
                close(content->descriptors[i]);
        content->n_files = 0;
}

void check_note(const struct story *story, const note *got, uint32_t who, uint64_t index) {
        uint64_t sum = sum_of(story, who, index);
        char label[32];

        check_equal(got->who, who);
        check_equal(got->index, index);
        (void) snprintf(label, sizeof(label), "%zu %zu", got->data.size, got->files.count);
        check_equal(strcmp(got->label, label), 0);
        check(got->data.size <= NOISE);
        check(got->data.size == 0 || memcmp(got->data.data, noise + sum % 256, got->data.size) == 0);
        for (size_t i = 0; i < got->files.count; i++) {
                struct file_content content;
                int fd = leat_descriptor_number(got->files.items[i]);

                check_equal(pread(fd, &content, sizeof(content), 0), sizeof(content));
                check_equal(content.sum, sum);
                check_equal(content.number, i);
        }
}

/* ---- sending marks ---- */

static int send_some(struct story *story, mark_sender tx, uint32_t who, uint64_t n, leat_deadline deadline) {
        struct stream *stream = stream_of(story, who);
        uint64_t from = atomic_load(&stream->committed);
        mark marks[AT_A_TIME];
        size_t sent = 0;
        int r;

        for (uint64_t i = 0; i < n; i++)
                marks[i] = mark_of(story, who, from + i);
        atomic_store(&stream->attempted, from + n);
        if (n == 1) {
                r = mark_send(tx, &marks[0], deadline);
                sent = r == 0;
        } else {
                r = mark_send_all(tx, marks, n, &sent, deadline);
                check((r == 0) == (sent == n));
        }
        atomic_store(&stream->committed, from + sent);
        atomic_store(&stream->attempted, from + sent);
        return r;
}

int send_marks(struct story *story, mark_sender tx, uint32_t who, uint64_t n, uint64_t at_a_time,
               leat_deadline deadline) {
        int r = 0;

        check(at_a_time > 0 && at_a_time <= AT_A_TIME);
        for (uint64_t done = 0; r == 0 && done < n; done += at_a_time)
                r = send_some(story, tx, who, n - done < at_a_time ? n - done : at_a_time, deadline);
        check(r == 0 || r == LEAT_FULL || r == LEAT_TIMEOUT || r == LEAT_DISCONNECTED);
        return r;
}
