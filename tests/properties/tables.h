/* The tables of the types that types.c makes: kept until the process ends, as all types are. */
#ifndef TESTS_PROPERTIES_TABLES_H
#define TESTS_PROPERTIES_TABLES_H

#include <leat/leat.h>

#define MOST_TABLES 4096

struct made {
        struct leat_type type; /* First: a type's address is its own. */
        void *plan;
        struct leat_field *fields;
        char *own_name;
        size_t alignment; /* 0: not laid out yet. */
        size_t number;
        unsigned depth; /* Messages and variants in one another, this one included; 0: not finished. */
};

extern struct made *tables_all[MOST_TABLES];
extern size_t tables_made;

/* A new one, with all its fields unset, and room for two more. Copies the name. */
struct made *tables_make(enum leat_type_kind kind, const char *name, size_t n_fields);

/* NULL for one that was compiled. */
struct made *tables_made_of(const struct leat_type *type);

/* The function that fields of this type refer to it by. */
const struct leat_type *(*tables_function(const struct made *made))(void);

/* Lays it out, if that is not done yet; returns the struct's size. */
size_t tables_lay_out(struct made *made);

/* From this table on, all that were made, with their arrays' elements. */
void tables_lay_out_family(size_t first);

#endif
