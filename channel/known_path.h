/* A path that everybody knows, for a server's socket: one server at a time has it. */
#ifndef LEAT_CHANNEL_KNOWN_PATH_H
#define LEAT_CHANNEL_KNOWN_PATH_H

/* Makes `path` free for a socket, and keeps it for this process as long as *ret_lock_fd is open; a socket
 * there whose server is dead, and was this user's, is removed. Beside it stands a file PATH.lock meanwhile.
 * 0; -EADDRINUSE: a server has it, or something else is there; a negative errno of open(2), unlink(2). Does
 * not wait. */
int known_path_claim(const char *path, int *ret_lock_fd);

/* Removes the socket, if that is what is there, and the lock. Only the process that claimed the path should:
 * a forked child just closes its lock_fd. */
void known_path_leave(const char *path, int lock_fd);

#endif
