/* Where the configuration, the working directories and the programs are found. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "search.h"
#include "support.h"

static char *root, *found, *problem;
static struct words words;

static char *in_root(const char *name) {
        return path_in(root, name);
}

static void make(const char *name, mode_t mode) {
        char *path = in_root(name), *folder = file_folder(path);
        FILE *file;

        check(file_make_folders(folder) == 0);
        file = fopen(path, "w");
        check(file);
        fclose(file);
        check(chmod(path, mode) == 0);
        free(folder);
        free(path);
}

static void make_folder(const char *name) {
        char *path = in_root(name);

        check(file_make_folders(path) == 0);
        free(path);
}

static struct places places(void) {
        struct places result = { in_root("program"), in_root("current/deep"), in_root("plugins") };

        make_folder("program");
        make_folder("current/deep");
        make_folder("plugins");
        return result;
}

static void begin(void) {
        char *folder = temp_folder();

        root = realpath(folder, NULL);
        free(folder);
}

static void end(void) {
        words_clear(&words);
        free(found);
        free(problem);
        temp_folder_remove(&root);
}

TestSuite(search, .init = begin, .fini = end);

static void found_is(const char *name) {
        char *expected = in_root(name);

        cr_assert_not_null(found);
        cr_assert_str_eq(found, expected);
        free(expected);
        free(found);
        found = NULL;
}

Test(search, the_programs_folder_then_the_current_one_then_above) {
        struct places where = places();

        cr_assert_eq(search_configuration(&where, &found), -ENOENT);
        make("current/kernelconfig.json", 0644);
        cr_assert_eq(search_configuration(&where, &found), 0);
        found_is("current/kernelconfig.json");
        make("current/deep/kernelconfig.json", 0644);
        cr_assert_eq(search_configuration(&where, &found), 0);
        found_is("current/deep/kernelconfig.json");
        make("program/kernelconfig.json", 0644);
        cr_assert_eq(search_configuration(&where, &found), 0);
        found_is("program/kernelconfig.json");
        places_clear(&where);
}

static int working_directory(const char *name, const char *id) {
        struct places where = places();
        struct configuration configuration = { .folder = in_root("config/deep") };
        struct plugin_configuration plugin = { .id = (char *) id, .working_directory = (char *) name };
        int r;

        make_folder("config/deep");
        r = search_working_directory(&configuration, &plugin, &where, &found, &problem);
        free(configuration.folder);
        places_clear(&where);
        return r;
}

Test(search, a_working_directory_has_five_places_and_is_made_otherwise) {
        cr_assert_eq(working_directory("w/x", "A"), 0);
        found_is("config/deep/w/x");
        make_folder("program/y");
        cr_assert_eq(working_directory("y", "A"), 0);
        found_is("program/y");
        make_folder("current/deep/y");
        cr_assert_eq(working_directory("y", "A"), 0);
        found_is("current/deep/y");
        make_folder("config/y");
        cr_assert_eq(working_directory("y", "A"), 0);
        found_is("config/y");
        make_folder("config/deep/y");
        cr_assert_eq(working_directory("y", "A"), 0);
        found_is("config/deep/y");
        cr_assert_eq(working_directory(NULL, "Some Plugin"), 0);
        found_is("config/deep/Some Plugin");
}

Test(search, nothing_is_made_above_the_configuration_or_elsewhere) {
        char *elsewhere = in_root("elsewhere");

        cr_assert_eq(working_directory("../up", "A"), -ENOENT);
        cr_assert_not_null(problem);
        free(problem);
        problem = NULL;
        cr_assert_eq(working_directory("x/..", "A"), -ENOENT);
        free(problem);
        problem = NULL;
        cr_assert_eq(working_directory(elsewhere, "A"), -ENOENT);
        cr_assert_eq(access(elsewhere, F_OK), -1);
        free(elsewhere);
}

static int program(struct plugin_configuration plugin) {
        struct places where = places();
        char *folder = in_root("w");
        int r;

        make_folder("w");
        words_clear(&words);
        r = search_program(&plugin, folder, &where, &words, &problem);
        if (r == 0)
                found = strdup(words.items[0]);
        free(folder);
        places_clear(&where);
        return r;
}

Test(search, an_executable_named_like_the_id) {
        const struct plugin_configuration plugin = { .id = (char *) "MetricLogger" };

        cr_assert_eq(program(plugin), -ENOENT);
        cr_assert_not_null(problem);
        make("plugins/MetricLogger", 0755);
        cr_assert_eq(program(plugin), 0);
        found_is("plugins/MetricLogger");
        make("w/metriclogger", 0644);
        cr_assert_eq(program(plugin), 0);
        found_is("plugins/MetricLogger");
        make("w/METRICLOGGER", 0755);
        cr_assert_eq(program(plugin), 0);
        found_is("w/METRICLOGGER");
        make("w/MetricLogger", 0755);
        cr_assert_eq(program(plugin), 0);
        found_is("w/MetricLogger");
}

Test(search, what_is_written_comes_first) {
        char *list[] = { (char *) "sh", (char *) "-c", (char *) "true", NULL };
        struct plugin_configuration plugin = { .id = (char *) "A", .program = (char *) "bin/x.dll" };

        make("w/A", 0755);
        cr_assert_eq(program(plugin), 0);
        found_is("w/bin/x.dll");
        plugin.command = (struct words){ list, 3 };
        cr_assert_eq(program(plugin), 0);
        cr_assert_str_eq(strrchr(found, '/'), "/sh");
        cr_assert_eq(words.count, 3);
        cr_assert_str_eq(words.items[2], "true");
        free(found);
        list[0] = (char *) "./here";
        cr_assert_eq(program(plugin), 0);
        found_is("w/./here");
        list[0] = (char *) "no such program anywhere";
        cr_assert_eq(program(plugin), -ENOENT);
        cr_assert_not_null(problem);
}

Test(search, this_program_and_the_plugin_folder) {
        struct places where;

        cr_assert_eq(places_find(NULL, &where), 0);
        cr_assert_str_eq(where.program, where.plugins);
        places_clear(&where);
        cr_assert_eq(places_find(root, &where), 0);
        cr_assert_str_eq(where.plugins, root);
        places_clear(&where);
        cr_assert_eq(places_find("/no/such/folder", &where), -ENOENT);
}
