/* How the field notation of LEAT_MESSAGE is read: from (optional, string, error) to a member of the struct
 * and a row of the table. Included by leat/message.h; nothing in it is for users. */
#ifndef LEAT_FIELDS_H
#define LEAT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/descriptor.h"
#include "leat/each.h"
#include "leat/shared_memory.h"
#include "leat/type.h"

#define LEAT_FUNCTION_ __attribute__((unused)) static inline

/* A word of the field notation is told from a user's type by a probe: LEAT_WORD_i32 exists and has a second
 * argument, LEAT_WORD_point does not. */
#define LEAT_CLASS_(word) LEAT_PROBE_(LEAT_WORD_##word)
#define LEAT_PROBE_(...) LEAT_SECOND_(__VA_ARGS__, user, ~)
#define LEAT_SECOND_(a, b, ...) b

#define LEAT_WORD_i8 ~, simple
#define LEAT_WORD_i16 ~, simple
#define LEAT_WORD_i32 ~, simple
#define LEAT_WORD_i64 ~, simple
#define LEAT_WORD_u8 ~, simple
#define LEAT_WORD_u16 ~, simple
#define LEAT_WORD_u32 ~, simple
#define LEAT_WORD_u64 ~, simple
#define LEAT_WORD_f32 ~, simple
#define LEAT_WORD_f64 ~, simple
#define LEAT_WORD_boolean ~, simple
#define LEAT_WORD_string ~, simple
#define LEAT_WORD_bytes ~, simple
#define LEAT_WORD_any ~, simple
#define LEAT_WORD_descriptor ~, simple
#define LEAT_WORD_shared_memory ~, simple
#define LEAT_WORD_unit ~, unit
#define LEAT_WORD_sender ~, endpoint
#define LEAT_WORD_receiver ~, endpoint
#define LEAT_WORD_optional ~, optional
#define LEAT_WORD_array ~, array
#define LEAT_WORD_fixed_array ~, fixed_array

typedef int8_t leat_c_i8;
typedef int16_t leat_c_i16;
typedef int32_t leat_c_i32;
typedef int64_t leat_c_i64;
typedef uint8_t leat_c_u8;
typedef uint16_t leat_c_u16;
typedef uint32_t leat_c_u32;
typedef uint64_t leat_c_u64;
typedef float leat_c_f32;
typedef double leat_c_f64;
typedef bool leat_c_boolean;
typedef const char *leat_c_string;
typedef leat_bytes leat_c_bytes;
typedef leat_any leat_c_any;
typedef leat_descriptor leat_c_descriptor;
typedef leat_shared_memory leat_c_shared_memory;

/* Every field is brought to one form, visit(T, shape, count, C type, kind, type function, name). */
#define LEAT_FIELD_(visit, T, word, ...) LEAT_JOIN_(LEAT_FIELD_OF_, LEAT_CLASS_(word))(visit, T, word, __VA_ARGS__)
#define LEAT_FIELD_OF_simple(visit, T, word, name) LEAT_ELEMENT_simple(visit, T, one, 1, word, name)
#define LEAT_FIELD_OF_unit(visit, T, word, name) LEAT_ELEMENT_unit(visit, T, one, 1, word, name)
#define LEAT_FIELD_OF_user(visit, T, word, name) LEAT_ELEMENT_user(visit, T, one, 1, word, name)
#define LEAT_FIELD_OF_endpoint(visit, T, word, E, name) LEAT_ELEMENT_endpoint(visit, T, one, 1, word, E, name)
#define LEAT_FIELD_OF_optional(visit, T, shape, word, ...) \
        LEAT_JOIN_(LEAT_ELEMENT_, LEAT_CLASS_(word))(visit, T, optional, 1, word, __VA_ARGS__)
#define LEAT_FIELD_OF_array(visit, T, shape, word, ...) \
        LEAT_JOIN_(LEAT_ELEMENT_, LEAT_CLASS_(word))(visit, T, array, 1, word, __VA_ARGS__)
#define LEAT_FIELD_OF_fixed_array(visit, T, shape, count, word, ...) \
        LEAT_JOIN_(LEAT_ELEMENT_, LEAT_CLASS_(word))(visit, T, fixed_array, count, word, __VA_ARGS__)

#define LEAT_ELEMENT_simple(visit, T, shape, count, word, name) \
        visit(T, shape, count, leat_c_##word, word, NULL, name)
#define LEAT_ELEMENT_unit(visit, T, shape, count, word, name) visit(T, shape, count, leat_unit, unit, NULL, name)
#define LEAT_ELEMENT_user(visit, T, shape, count, word, name) visit(T, shape, count, word, user, word##_type, name)
#define LEAT_ELEMENT_endpoint(visit, T, shape, count, word, E, name) \
        visit(T, shape, count, E##_##word, word, E##_type, name)

#define LEAT_UNPACK_(...) __VA_ARGS__
#define LEAT_FIELD_WITH_(...) LEAT_FIELD_(__VA_ARGS__)

/* The member of the struct. */
#define LEAT_FIELD_DECLARE_(T, tuple) LEAT_FIELD_WITH_(LEAT_MEMBER_, T, LEAT_UNPACK_ tuple)
#define LEAT_MEMBER_(T, shape, count, C, kind, type, name) LEAT_MEMBER_##shape(C, count, name)
#define LEAT_MEMBER_one(C, length, name) C name;
#define LEAT_MEMBER_optional(C, length, name) \
        struct {                             \
                bool present;                \
                C value;                     \
        } name;
#define LEAT_MEMBER_array(C, length, name)    \
        struct {                             \
                C *items;                    \
                size_t count;                \
        } name;
#define LEAT_MEMBER_fixed_array(C, length, name) C name[length];

/* The row of the table. */
#define LEAT_FIELD_TABLE_(T, tuple) LEAT_FIELD_WITH_(LEAT_ROW_, T, LEAT_UNPACK_ tuple)
#define LEAT_ROW_(T, shape, count, C, kind, type, name)                                                 \
        { #name, LEAT_KIND_##kind, LEAT_SHAPE_##shape, count, offsetof(struct T, name),                 \
          LEAT_VALUE_OFFSET_##shape(T, name), sizeof(C), type },
#define LEAT_VALUE_OFFSET_one(T, name) offsetof(struct T, name)
#define LEAT_VALUE_OFFSET_optional(T, name) offsetof(struct T, name.value)
#define LEAT_VALUE_OFFSET_array(T, name) offsetof(struct T, name)
#define LEAT_VALUE_OFFSET_fixed_array(T, name) offsetof(struct T, name)

/* Tags and constructors of a variant. */
#define LEAT_TAG_DECLARE_(T, tuple) LEAT_FIELD_WITH_(LEAT_TAG_, T, LEAT_UNPACK_ tuple)
#define LEAT_TAG_(T, shape, count, C, kind, type, name) T##_tag_##name,
#define LEAT_CONSTRUCTOR_(T, tuple) LEAT_FIELD_WITH_(LEAT_CONSTRUCTOR__, T, LEAT_UNPACK_ tuple)
#define LEAT_CONSTRUCTOR__(T, shape, count, C, kind, type, name) \
        LEAT_JOIN_(LEAT_CONSTRUCTOR_OF_, LEAT_IS_UNIT_(kind))(T, C, name)
#define LEAT_IS_UNIT_(kind) LEAT_PROBE_(LEAT_IS_UNIT_##kind)
#define LEAT_IS_UNIT_unit ~, unit
#define LEAT_CONSTRUCTOR_OF_user(T, C, name)                 \
        LEAT_FUNCTION_ T T##_##name(C value_)                \
        {                                                    \
                T made_;                                     \
                                                             \
                memset(&made_, 0, sizeof(made_));            \
                made_.tag = T##_tag_##name;                  \
                made_.name = value_;                         \
                return made_;                                \
        }
#define LEAT_CONSTRUCTOR_OF_unit(T, C, name)                 \
        LEAT_FUNCTION_ T T##_##name(void)                    \
        {                                                    \
                T made_;                                     \
                                                             \
                memset(&made_, 0, sizeof(made_));            \
                made_.tag = T##_tag_##name;                  \
                return made_;                                \
        }

/* Names of an enum. */
#define LEAT_NAME_DECLARE_(T, name) T##_##name,
#define LEAT_NAME_TABLE_(T, name) { #name, 0, 0, 0, 0, 0, 0, NULL },

#endif
