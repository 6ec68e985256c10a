/* Where things are found: the configuration, a plugin's working directory, and its program. */
#ifndef LEAT_KERNEL_SEARCH_H
#define LEAT_KERNEL_SEARCH_H

#include "configuration.h"

/* The folders from which a search starts; all absolute. */
struct places {
        char *program; /* Where this program lies. */
        char *current;
        char *plugins; /* The plugin folder. */
};

/* Finds out about this process. `plugin_folder` may be NULL: then it is ../libexec/leat as seen from this
 * program if that is there (an installed kernel), else this program's own folder (a build). Free with
 * places_clear(). Returns 0, -ENOMEM, or what readlink(2) and getcwd(3) say. */
int places_find(const char *plugin_folder, struct places *ret_places);
void places_clear(struct places *places);

/* Looks for kernelconfig.json in the program's folder, the current folder, then the parents of both.
 * Returns 0 and its path (free it), -ENOENT, -ENOMEM. */
int search_configuration(const struct places *places, char **ret_path);

/* Looks for the plugin's working directory below the configuration's folder, its parents, the current
 * folder and the program's folder; makes it below the configuration's folder when there is none. Returns 0
 * and an absolute path (free it); -ENOMEM; another negative errno with a sentence in *ret_problem (free
 * it). */
int search_working_directory(const struct configuration *configuration,
                             const struct plugin_configuration *plugin, const struct places *places,
                             char **ret_path, char **ret_problem);

/* Finds what to run: `command`, else dllRelativePath, else an executable named like the id, without case,
 * in the working directory or in the plugin folder. *ret_words becomes the program's absolute path
 * followed by the words that `command` has behind it; clear it. Results as above; -ENOENT: there is none. */
int search_program(const struct plugin_configuration *plugin, const char *working_directory,
                   const struct places *places, struct words *ret_words, char **ret_problem);

#endif
