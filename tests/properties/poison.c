#include "poison.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define STACK ((size_t) 256 << 10) /* More than any call of the library takes. */

unsigned char poison;

/* The linker's names: what is called and what was meant. */
void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
void __wrap_free(void *memory);

static void fill(void *memory, size_t from) {
        size_t size = memory ? malloc_usable_size(memory) : 0;

        if (size > from)
                memset((unsigned char *) memory + from, poison, size - from);
}

void *__wrap_malloc(size_t size) {
        void *memory = __real_malloc(size);

        fill(memory, 0);
        return memory;
}

void *__wrap_realloc(void *memory, size_t size) {
        size_t before = memory ? malloc_usable_size(memory) : 0;
        void *moved = __real_realloc(memory, size);

        fill(moved, before);
        return moved;
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size) {
        size_t all;

        if (__builtin_mul_overflow(count, size, &all)) {
                errno = ENOMEM;
                return NULL;
        }
        return __wrap_realloc(memory, all);
}

void __wrap_free(void *memory) {
        fill(memory, 0);
        __real_free(memory);
}

__attribute__((noinline)) void poison_stack(void) {
        unsigned char room[STACK];

        memset(room, poison, sizeof(room));
        __asm__ volatile("" : : "r"(room) : "memory");
}
