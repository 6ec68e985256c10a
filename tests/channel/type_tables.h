/* Types by hand: rows as LEAT_MESSAGE writes them, so that variations of a type can have the same name in one
 * program. Only what the schema reads is filled in. */
#ifndef TESTS_CHANNEL_TYPE_TABLES_H
#define TESTS_CHANNEL_TYPE_TABLES_H

#include <leat/leat.h>

/* A message's, as C lays it out. */
#define TABLE_SIZE 64

#define ROW(shape, kind, count, type, name) \
        { name, LEAT_KIND_##kind, LEAT_SHAPE_##shape, count, 0, 0, 8, type }
#define NAME(name) { name, 0, 0, 0, 0, 0, 0, NULL }
#define TABLE(number, type_name, type_kind, ...)                                                   \
        static const struct leat_type *number(void) {                                              \
                static const struct leat_field fields[] = { __VA_ARGS__ };                         \
                static void *plan;                                                                 \
                static const struct leat_type type = {                                             \
                        LEAT_TABLE_VERSION, LEAT_TYPE_##type_kind, type_name, TABLE_SIZE, fields,  \
                        sizeof(fields) / sizeof(fields[0]), &plan                                  \
                };                                                                                 \
                return &type;                                                                      \
        }                                                                                          \
        struct leat_type

/* The table of T under another one's name, as it would be if both were in files of their own. */
#define NAMED(function, T, as)                                                                     \
        static const struct leat_type *function(void) {                                            \
                static struct leat_type room;                                                      \
                static void *plan;                                                                 \
                                                                                                   \
                if (!room.plan) {                                                                  \
                        room = *T##_type();                                                        \
                        room.name = as;                                                            \
                        room.plan = &plan;                                                         \
                }                                                                                  \
                return &room;                                                                      \
        }                                                                                          \
        struct leat_type

#endif
