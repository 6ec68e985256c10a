/* The client does not wait for an answer, because nothing is ever sent back over a channel's socket: one that is turned
 * away finds its channel disconnected. */
#include "greeting.h"

#include <stdbool.h>

#include "descriptor.h"
#include "packet.h"

int greeting_send(int fd, const struct plan *plan, leat_deadline deadline) {
        uint8_t start[PACKET_HEADER_SIZE], body[FINGERPRINT_MAX_WIRE];
        struct packet_header header = { .kind = PACKET_GREETING,
                                        .tag = plan->tag,
                                        .body_size = fingerprint_write(&plan->fingerprint, body) };
        struct iovec parts[] = { { .iov_base = start, .iov_len = sizeof(start) },
                                 { .iov_base = body, .iov_len = header.body_size } };

        packet_write_header(&header, start);
        return packet_send(fd, parts, 2, NULL, 0, deadline, NULL);
}

static int check(const struct packet *packet, const struct plan *plan, struct mismatch *ret_mismatch) {
        struct packet_header header;
        struct fingerprint fingerprint;
        int r = packet_read_header(packet->data, packet->size, &header);

        if (r != 0)
                return r;
        if (packet->too_long || packet->fds_are_lost || header.kind != PACKET_GREETING ||
            header.encoding != 0 || header.n_handles != 0 || header.table_size != 0)
                return LEAT_MALFORMED;
        if (fingerprint_read(packet->data + PACKET_HEADER_SIZE, header.body_size, &fingerprint) !=
                    header.body_size ||
            header.body_size == 0 || header.tag != fingerprint_tag(&fingerprint))
                return LEAT_MALFORMED;
        if (fingerprint_compatible(&fingerprint, &plan->fingerprint))
                return 0;
        mismatch_note(ret_mismatch, plan->schema, &fingerprint);
        return LEAT_TYPE_MISMATCH;
}

int greeting_receive(int fd, const struct plan *plan, struct mismatch *ret_mismatch, uint8_t *ret_version) {
        uint8_t room[PACKET_HEADER_SIZE + FINGERPRINT_MAX_WIRE];
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
