/* The trace that plugins leave while they live. Each line is written at once and in one piece, so that a
 * kernel that is killed leaves no half of one. */
#include "heartbeats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "file.h"
#include "identifier.h"
#include "leat/timestamp.h"
#include "ownership.h"

int heartbeats_open(const char *folder) {
        CLEANUP(free_text) char *path = file_join(folder, HEARTBEATS_NAME);
        int descriptor;

        if (!path)
                return -ENOMEM;
        /* O_NONBLOCK: should somebody have put a FIFO there, opening it must not wait for a reader. */
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
        return descriptor < 0 ? -errno : descriptor;
}

int heartbeats_write(int descriptor, const char *id, int32_t sequence) {
        char line[LEAT_TIMESTAMP_SIZE + IDENTIFIER_MAX + 32], time[LEAT_TIMESTAMP_SIZE];
        int n;

        leat_timestamp_text_now(time);
        if (sequence != 0)
                n = snprintf(line, sizeof(line), "%s\t%s\tseq=%d\n", time, id, sequence);
        else
                n = snprintf(line, sizeof(line), "%s\t%s\tseq=-\n", time, id);
        return write(descriptor, line, (size_t) n) < 0 ? -errno : 0;
}
