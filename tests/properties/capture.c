#include "capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

void capture_bytes(struct capture *capture, const void *bytes, size_t size) {
        if (capture->size + size > capture->capacity) {
                capture->capacity = (capture->size + size) * 2;
                capture->bytes = realloc(capture->bytes, capture->capacity);
                check(capture->bytes);
        }
        if (size > 0)
                memcpy(capture->bytes + capture->size, bytes, size);
        capture->size += size;
}

void capture_free(struct capture *capture) {
        free(capture->bytes);
        *capture = (struct capture){ 0 };
}

void capture_forget(struct capture *capture, const unsigned char identity[16]) {
        unsigned char *at = capture->bytes, *found;

        while (at && (found = memmem(at, capture->size - (size_t) (at - capture->bytes), identity, 16))) {
                memset(found, 0, 16);
                at = found + 16;
        }
}

static void take_descriptors(struct msghdr *message, struct captured_packet *packet) {
        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                        continue;
                packet->n_fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(packet->fds, CMSG_DATA(header), packet->n_fds * sizeof(int));
        }
}

bool capture_packet(struct capture *capture, int fd, struct captured_packet *packet) {
        union {
                struct cmsghdr header;
                unsigned char room[CMSG_SPACE(sizeof(packet->fds)) + 64];
        } control;
        struct iovec part = { .iov_base = packet->data, .iov_len = sizeof(packet->data) };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        packet->n_fds = packet->size = 0;
        if (n < 0)
                check(errno == EAGAIN);
        if (n <= 0)
                return false;
        check((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0);
        packet->size = (size_t) n;
        take_descriptors(&message, packet);
        capture_bytes(capture, packet->data, packet->size);
        return true;
}

unsigned char *capture_memory(struct capture *capture, int fd, size_t *ret_size) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE), mapped;
        struct stat status;
        unsigned char *content, *copy;

        check(fstat(fd, &status) == 0);
        *ret_size = (size_t) status.st_size;
        mapped = (*ret_size + page - 1) / page * page;
        copy = malloc(*ret_size + 1);
        check(copy);
        if (mapped == 0)
                return copy;
        content = mmap(NULL, mapped, PROT_READ, MAP_PRIVATE, fd, 0);
        check(content != MAP_FAILED);
        for (size_t i = *ret_size; i < mapped; i++)
                check_equal(content[i], 0);
        memcpy(copy, content, *ret_size);
        capture_bytes(capture, copy, *ret_size);
        (void) munmap(content, mapped);
        return copy;
}

void captured_close(struct captured_packet *packet) {
        while (packet->n_fds > 0)
                (void) close(packet->fds[--packet->n_fds]);
}
