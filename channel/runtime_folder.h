/* A folder of one's own for a server's socket, under a name that nobody can guess. */
#ifndef LEAT_CHANNEL_RUNTIME_FOLDER_H
#define LEAT_CHANNEL_RUNTIME_FOLDER_H

#include <stddef.h>
#include <sys/types.h>

/* The socket's name in the folder: the only entry that is ever removed from one. */
#define RUNTIME_FOLDER_SOCKET "s"

/* Enough for any folder's path with its final zero byte: with "/s" it fits into sun_path, see unix(7). */
#define RUNTIME_FOLDER_SIZE 106

/* Makes a folder of exactly `mode` (0700, or 0711 for servers that other users may join), whatever the umask,
 * and removes abandoned ones of one's own. It is yours as long as *ret_lock_fd is open. 0, or a negative
 * errno of mkdir(2), open(2), flock(2), rename(2); -ENAMETOOLONG when `size` is too small. */
int runtime_folder_create(mode_t mode, char *ret_path, size_t size, int *ret_lock_fd);

/* Removes the folder with its socket, then closes lock_fd. Only the process that made the folder should: a
 * forked child just closes its lock_fd. */
void runtime_folder_remove(const char *path, int lock_fd);

#endif
