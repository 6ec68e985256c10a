/* One JSON object a line over a socket, as IKT300 speaks. */
#ifndef LEAT_BENCH_JSON_LINES_H
#define LEAT_BENCH_JSON_LINES_H

#include <jansson.h>
#include <stddef.h>

struct json_lines {
        int fd;
        size_t start, end; /* Of what is read and not taken yet. */
        char buffer[65536];
};

/* Takes the reference; NULL is one that could not be made for want of memory. 0, or the negative of an
 * errno. */
int json_lines_send(struct json_lines *lines, json_t *object);

/* 1: an object, which is the caller's; 0: the other side has ended; negative: an error. */
int json_lines_receive(struct json_lines *lines, json_t **ret_object);

#endif
