/* Small questions about files that more than one module asks. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "ownership.h"
#include "text.h"

int file_read(const char *path, size_t most, char **ret_text, size_t *ret_size) {
        CLEANUP(close_descriptor) int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        CLEANUP(free_text) char *text = NULL;
        size_t size = 0;
        ssize_t n;

        if (file < 0)
                return -errno;
        text = malloc(most);
        if (!text)
                return -ENOMEM;
        do {
                n = read(file, text + size, most - size);
                if (n < 0 && errno != EINTR)
                        return -errno;
                size += n > 0 ? (size_t) n : 0;
        } while (n != 0 && size < most);
        if (size == most)
                return -EFBIG;
        *ret_text = take_text(&text);
        *ret_size = size;
        return 0;
}

char *file_join(const char *folder, const char *name) {
        size_t size = strlen(folder);

        if (*name == '/')
                return strdup(name);
        return text_format("%s%s%s", folder, size > 0 && folder[size - 1] == '/' ? "" : "/", name);
}

char *file_folder(const char *path) {
        const char *slash = strrchr(path, '/');

        return strndup(path, slash == path ? 1 : (size_t) (slash - path));
}

bool file_is_folder(const char *path) {
        struct stat status;

        return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_is_program(const char *path) {
        struct stat status;

        return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

int file_make_folders(const char *path) {
        CLEANUP(free_text) char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(copy, 0777) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
                return -errno;
        return file_is_folder(copy) ? 0 : -ENOTDIR;
}
