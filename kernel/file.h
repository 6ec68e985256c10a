/* Files and folders, by their names. */
#ifndef LEAT_KERNEL_FILE_H
#define LEAT_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Reads a whole file of less than `most` bytes. Returns 0; -EFBIG; what open(2) and read(2) say; -ENOMEM.
 * Free *ret_text; it is not terminated. */
int file_read(const char *path, size_t most, char **ret_text, size_t *ret_size);

/* Joins with a slash, unless `name` is absolute. NULL when out of memory. */
char *file_join(const char *folder, const char *name);

/* The folder of a path that has a slash; NULL when out of memory. */
char *file_folder(const char *path);

bool file_is_folder(const char *path);

/* Whether it is a regular file that this user may execute. */
bool file_is_program(const char *path);

/* Makes the folder and those above it. Returns 0 or what mkdir(2) says. */
int file_make_folders(const char *path);

#endif
