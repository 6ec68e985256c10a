/* Which Leat this is: the one that a program was compiled with, and the one that it runs with.
 *
 * Three things have a version. The library's is below. The tables that LEAT_MESSAGE compiles into a program
 * have LEAT_TABLE_VERSION (leat/type.h): a library that cannot read them says -EPROTO, and leat_type_versions
 * names both versions. What two processes say to one another has LEAT_WIRE_VERSION, the first byte of every
 * packet: a receiver says LEAT_VERSION_MISMATCH about a packet with another, and T_versions names both. */
#ifndef LEAT_VERSION_H
#define LEAT_VERSION_H

#include <stdint.h>

#include "leat/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of these headers. Libraries of one SONAME (libleat.so.0) with a higher version run what was compiled with a
 * lower one. */
#define LEAT_VERSION_MAJOR 0
#define LEAT_VERSION_MINOR 1
#define LEAT_VERSION_PATCH 0
#define LEAT_VERSION       "0.1.0"

/* What libraries say to one another. It says nothing about types, which have fingerprints. */
#define LEAT_WIRE_VERSION 1

/* Two versions that did not match. */
struct leat_versions {
        uint32_t ours;   /* The library's that this process runs with. */
        uint32_t theirs; /* The other side's, or the table's. */
};

/* The version of the library that this process runs with, as LEAT_VERSION. A constant. */
LEAT_PUBLIC const char *leat_version(void);

#ifdef __cplusplus
}
#endif

#endif
