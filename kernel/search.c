/* A configuration written for another machine, or for another build of the same plugins, should work where
 * it lies; so what it names is searched in a fixed order of places, and what it leaves out is guessed from
 * the plugin's id. */
#include "search.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "file.h"
#include "identifier.h"
#include "ownership.h"

static int own_folder(char **ret_folder) {
        CLEANUP(free_text) char *path = realpath("/proc/self/exe", NULL);

        if (!path)
                return -errno;
        *ret_folder = file_folder(path);
        return *ret_folder ? 0 : -ENOMEM;
}

static int find_plugin_folder(const char *program, const char *wanted, char **ret_folder) {
        CLEANUP(free_text) char *installed = file_join(program, "../libexec/leat");

        if (!installed)
                return -ENOMEM;
        if (wanted)
                *ret_folder = realpath(wanted, NULL);
        else if (file_is_folder(installed))
                *ret_folder = realpath(installed, NULL);
        else
                *ret_folder = strdup(program);
        return *ret_folder ? 0 : -errno;
}

int places_find(const char *plugin_folder, struct places *ret_places) {
        struct places places = { 0 };
        int r = own_folder(&places.program);

        if (r == 0)
                r = find_plugin_folder(places.program, plugin_folder, &places.plugins);
        if (r == 0) {
                places.current = getcwd(NULL, 0);
                r = places.current ? 0 : -errno;
        }
        if (r == 0)
                *ret_places = places;
        else
                places_clear(&places);
        return r;
}

void places_clear(struct places *places) {
        free(places->program);
        free(places->current);
        free(places->plugins);
        *places = (struct places){ 0 };
}

/* Calls `accepts` on folder/name, and, with `parents`, on the same name in each folder above. Returns 0
 * and the path, or -ENOENT, -ENOMEM. */
static int search_upwards(const char *folder, const char *name, bool parents, bool (*accepts)(const char *),
                          char **ret_path) {
        CLEANUP(free_text) char *above = strdup(folder);

        while (above) {
                CLEANUP(free_text) char *path = file_join(above, name);
                char *higher;

                if (!path)
                        return -ENOMEM;
                if (accepts(path)) {
                        *ret_path = take_text(&path);
                        return 0;
                }
                if (!parents || strcmp(above, "/") == 0)
                        return -ENOENT;
                higher = file_folder(above);
                free(above);
                above = higher;
        }
        return -ENOMEM;
}

static bool is_no_folder(const char *path) {
        return access(path, F_OK) == 0 && !file_is_folder(path);
}

int search_configuration(const struct places *places, char **ret_path) {
        int r = search_upwards(places->program, CONFIGURATION_NAME, false, is_no_folder, ret_path);

        if (r == -ENOENT)
                r = search_upwards(places->current, CONFIGURATION_NAME, false, is_no_folder, ret_path);
        if (r == -ENOENT)
                r = search_upwards(places->program, CONFIGURATION_NAME, true, is_no_folder, ret_path);
        if (r == -ENOENT)
                r = search_upwards(places->current, CONFIGURATION_NAME, true, is_no_folder, ret_path);
        return r;
}

static bool climbs(const char *name) {
        for (const char *part = name; part; part = strchr(part, '/')) {
                part += *part == '/';
                if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
                        return true;
        }
        return false;
}

static int make_working_directory(const char *folder, const char *name, char **ret_path, char **ret_problem) {
        CLEANUP(free_text) char *path = file_join(folder, name);
        int r = -ENOENT;

        if (!path)
                return -ENOMEM;
        if (*name != '/' && !climbs(name)) /* Nothing is made where only the user should make something. */
                r = file_make_folders(path);
        if (r == 0)
                *ret_path = take_text(&path);
        else
                *ret_problem = text_format("its working directory %s cannot be used: %s", path, strerror(-r));
        return r;
}

int search_working_directory(const struct configuration *configuration,
                             const struct plugin_configuration *plugin, const struct places *places,
                             char **ret_path, char **ret_problem) {
        const char *name = plugin->working_directory;
        int r;

        if (!name)
                return make_working_directory(configuration->folder, plugin->id, ret_path, ret_problem);
        r = search_upwards(configuration->folder, name, *name != '/', file_is_folder, ret_path);
        if (r == -ENOENT && *name != '/')
                r = search_upwards(places->current, name, false, file_is_folder, ret_path);
        if (r == -ENOENT && *name != '/')
                r = search_upwards(places->program, name, false, file_is_folder, ret_path);
        if (r == -ENOENT)
                r = make_working_directory(configuration->folder, name, ret_path, ret_problem);
        return r;
}

/* An executable in the folder whose name is the id without case. The exact spelling comes first, then any. */
static int find_named(const char *folder, const char *id, char **ret_path) {
        CLEANUP(free_text) char *exact = file_join(folder, id);
        struct dirent *entry;
        DIR *listing;
        int r = -ENOENT;

        if (!exact)
                return -ENOMEM;
        if (*id != '/' && file_is_program(exact)) {
                *ret_path = take_text(&exact);
                return 0;
        }
        listing = opendir(folder);
        while (r == -ENOENT && listing && (entry = readdir(listing))) {
                CLEANUP(free_text) char *path = NULL;

                if (!identifier_equal(entry->d_name, id))
                        continue;
                path = file_join(folder, entry->d_name);
                if (!path)
                        r = -ENOMEM;
                else if (file_is_program(path)) {
                        *ret_path = take_text(&path);
                        r = 0;
                }
        }
        if (listing)
                closedir(listing);
        return r;
}

/* As a shell finds a command: with a slash relative to the working directory, else along PATH. */
static int find_command(const char *name, const char *working_directory, char **ret_path) {
        const char *list = getenv("PATH");

        if (strchr(name, '/')) {
                *ret_path = file_join(working_directory, name);
                return *ret_path ? 0 : -ENOMEM;
        }
        for (const char *at = list ? list : "/usr/bin:/bin"; at; at = strchr(at, ':')) {
                CLEANUP(free_text) char *entry = NULL, *folder = NULL;
                int r;

                at += *at == ':';
                entry = strndup(at, strcspn(at, ":"));
                if (entry) /* Entries may be relative, or empty. */
                        folder = file_join(working_directory, entry);
                if (!folder)
                        return -ENOMEM;
                r = search_upwards(folder, name, false, file_is_program, ret_path);
                if (r != -ENOENT)
                        return r;
        }
        return -ENOENT;
}

static int find_program(const struct plugin_configuration *plugin, const char *working_directory,
                        const struct places *places, char **ret_path, char **ret_problem) {
        int r;

        if (plugin->command.count > 0) {
                r = find_command(plugin->command.items[0], working_directory, ret_path);
                if (r == -ENOENT)
                        *ret_problem = text_format("there is no program named %s", plugin->command.items[0]);
                return r;
        }
        if (plugin->program) {
                *ret_path = file_join(working_directory, plugin->program);
                return *ret_path ? 0 : -ENOMEM;
        }
        r = find_named(working_directory, plugin->id, ret_path);
        if (r == -ENOENT)
                r = find_named(places->plugins, plugin->id, ret_path);
        if (r == -ENOENT)
                *ret_problem = text_format("there is no program named like it in %s or %s", working_directory,
                                           places->plugins);
        return r;
}

int search_program(const struct plugin_configuration *plugin, const char *working_directory,
                   const struct places *places, struct words *ret_words, char **ret_problem) {
        CLEANUP(free_text) char *path = NULL;
        struct words words = { 0 };
        int r = find_program(plugin, working_directory, places, &path, ret_problem);

        if (r == 0)
                r = words_add(&words, path);
        if (r == 0 && plugin->command.count > 1)
                r = words_add_all(&words, plugin->command.items + 1, plugin->command.count - 1);
        if (r == 0)
                *ret_words = words;
        else
                words_clear(&words);
        return r;
}
