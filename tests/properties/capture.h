/* A stranger who keeps every byte that comes to it: what is in packets, what is in the memory whose
 * descriptors come along (to the end of its last page), what is in a ring. Two captures of the same doings
 * must be the same. */
#ifndef TESTS_PROPERTIES_CAPTURE_H
#define TESTS_PROPERTIES_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture {
        unsigned char *bytes;
        size_t size;
        size_t capacity;
};

void capture_bytes(struct capture *capture, const void *bytes, size_t size);
void capture_free(struct capture *capture);

/* Wherever these 16 bytes are, zeros stand instead: they are random. */
void capture_forget(struct capture *capture, const unsigned char identity[16]);

#define CAPTURE_PACKET 65561

struct captured_packet {
        unsigned char data[CAPTURE_PACKET];
        size_t size;
        int fds[253];
        size_t n_fds;
};

/* The next packet that waits; its descriptors are the caller's. False: nothing waits. */
bool capture_packet(struct capture *capture, int fd, struct captured_packet *packet);

/* Memory, whole, which must be zero behind its end. To be freed. */
unsigned char *capture_memory(struct capture *capture, int fd, size_t *ret_size);

void captured_close(struct captured_packet *packet);

#endif
