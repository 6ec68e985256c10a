/* The client does not wait for an answer, because nothing is ever sent back over a channel's socket: one that
 * is turned away finds its channel disconnected.
 *
 * The fingerprint decides. Behind it the client says its type's text, for the person who will have to find
 * out why it was turned away; no text is wrong, and none is needed. */
#include "greeting.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "descriptor.h"
#include "packet.h"

static int send_with_text(int fd, const struct plan *plan, size_t text_size, leat_deadline deadline) {
        uint8_t start[PACKET_HEADER_SIZE], print[FINGERPRINT_MAX_WIRE];
        size_t print_size = fingerprint_write(&plan->fingerprint, print);
        struct packet_header header = { .kind = PACKET_GREETING,
                                        .tag = plan->tag,
                                        .body_size = print_size + text_size };
        struct iovec parts[] = { { .iov_base = start, .iov_len = sizeof(start) },
                                 { .iov_base = print, .iov_len = print_size },
                                 { .iov_base = plan->schema, .iov_len = text_size } };

        packet_write_header(&header, start);
        return packet_send(fd, parts, 3, NULL, 0, deadline, NULL);
}

int greeting_send(int fd, const struct plan *plan, leat_deadline deadline) {
        int r = send_with_text(fd, plan, strnlen(plan->schema, GREETING_MAX_TEXT), deadline);

        /* Somebody has made the sockets' buffers too small for it. */
        return r == -EMSGSIZE ? send_with_text(fd, plan, 0, deadline) : r;
}

static int check(const struct packet *packet, const struct plan *plan, struct mismatch *ret_mismatch) {
        const uint8_t *body = packet->data + PACKET_HEADER_SIZE;
        struct packet_header header;
        struct fingerprint fingerprint;
        size_t print_size;
        int r = packet_read_header(packet->data, packet->size, &header);

        if (r != 0)
                return r;
        if (packet->too_long || packet->fds_are_lost || header.kind != PACKET_GREETING ||
            header.encoding != 0 || header.n_handles != 0 || header.table_size != 0)
                return LEAT_MALFORMED;
        print_size = fingerprint_read(body, header.body_size, &fingerprint);
        if (print_size == 0 || header.tag != fingerprint_tag(&fingerprint) ||
            header.body_size - print_size > GREETING_MAX_TEXT)
                return LEAT_MALFORMED;
        if (fingerprint_compatible(&fingerprint, &plan->fingerprint))
                return 0;
        mismatch_note_told(ret_mismatch, plan->schema, &fingerprint, body + print_size,
                           header.body_size - print_size);
        return LEAT_TYPE_MISMATCH;
}

int greeting_receive(int fd, const struct plan *plan, struct mismatch *ret_mismatch, uint8_t *ret_version) {
        uint8_t room[PACKET_HEADER_SIZE + FINGERPRINT_MAX_WIRE + GREETING_MAX_TEXT];
        struct packet packet = { .data = room, .capacity = sizeof(room) };
        int r = packet_receive(fd, &packet, 0, LEAT_NOW);

        if (r != 0)
                return r;
        for (size_t i = 0; i < packet.n_fds; i++)
                (void) descriptor_dispose(packet.fds[i]);
        r = check(&packet, plan, ret_mismatch);
        if (r == LEAT_VERSION_MISMATCH)
                *ret_version = packet.data[0];
        return r;
}
