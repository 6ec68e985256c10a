/* kernelconfig.json: what is taken, what is refused, and how the refusal reads. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "configuration.h"
#include "support.h"

static struct configuration *configuration;
static char *problem, *path;

/* Returns what loading the text returned. */
static int load(const char *text) {
        cleanup_temp_folder char *folder = temp_folder();
        FILE *file;
        int r;

        free(path);
        path = path_in(folder, "kernelconfig.json");
        file = fopen(path, "w");
        check(file);
        check(fwrite(text, 1, strlen(text), file) == strlen(text));
        check(fclose(file) == 0);
        configuration = configuration_free(configuration);
        free(problem);
        problem = NULL;
        r = configuration_load(path, &configuration, &problem);
        return r;
}

/* The problem is one line: the file, then `rest`. */
static void refused(const char *text, const char *rest) {
        cr_assert_eq(load(text), -EINVAL, "%s", text);
        cr_assert(strncmp(problem, path, strlen(path)) == 0, "%s", problem);
        cr_assert_str_eq(problem + strlen(path), rest);
        cr_assert_null(configuration);
}

static void clear(void) {
        configuration = configuration_free(configuration);
        free(problem);
        free(path);
}

TestSuite(configuration, .fini = clear);

Test(configuration, an_empty_object_is_all_defaults) {
        cr_assert_eq(load("{}"), 0);
        cr_assert_str_eq(configuration->host, "127.0.0.1");
        cr_assert_eq(configuration->port, 9000);
        cr_assert(configuration->bridge);
        cr_assert_eq(configuration->limits.heartbeat_timeout_ms, 8000);
        cr_assert_eq(configuration->limits.start_timeout_ms, 10000);
        cr_assert_eq(configuration->limits.queue_bytes, 1048576);
        cr_assert_eq(configuration->n_plugins, 0);
        cr_assert_eq(configuration->warnings.count, 0);
}

Test(configuration, a_plugins_defaults) {
        const struct plugin_configuration *plugin;

        cr_assert_eq(load("{\"plugins\":[{\"pluginId\":\"A\"}]}"), 0);
        plugin = &configuration->plugins[0];
        cr_assert(plugin->auto_start && plugin->enabled);
        cr_assert_null(plugin->working_directory);
        cr_assert_null(plugin->program);
        cr_assert_eq(plugin->command.count + plugin->arguments.count, 0);
        cr_assert_eq(plugin->exit_after_seconds, 0);
        cr_assert_eq(plugin->limits.heartbeat_timeout_ms, 8000);
}

Test(configuration, everything_at_once_and_case_does_not_count) {
        const struct plugin_configuration *plugin;

        cr_assert_eq(load("{\"HOST\":\"::1\",\"Port\":0,\"BRIDGE\":false,\"startTimeoutMs\":7,\"Plugins\":[{"
                          "\"PluginId\":\"A\","
                          "\"workingdirectory\":\"w\",\"AUTOSTART\":false,\"Enabled\":false,"
                          "\"exitafterseconds\":5,"
                          "\"dllRelativePath\":\"x.dll\",\"Command\":[\"sh\",\"-c\"],\"arguments\":[\"--y\"],"
                          "\"heartbeattimeoutms\":9}]}"),
                     0);
        cr_assert_str_eq(configuration->host, "::1");
        cr_assert_eq(configuration->port, 0);
        cr_assert_not(configuration->bridge);
        plugin = &configuration->plugins[0];
        cr_assert_str_eq(plugin->working_directory, "w");
        cr_assert_str_eq(plugin->program, "x.dll");
        cr_assert_str_eq(plugin->command.items[1], "-c");
        cr_assert_str_eq(plugin->arguments.items[0], "--y");
        cr_assert_not(plugin->auto_start || plugin->enabled);
        cr_assert_eq(plugin->exit_after_seconds, 5);
        cr_assert_eq(plugin->limits.heartbeat_timeout_ms, 9);
        cr_assert_eq(plugin->limits.start_timeout_ms, 7, "what is said at the top holds for each plugin");
}

Test(configuration, limits_at_the_top_hold_wherever_they_stand) {
        cr_assert_eq(load("{\"plugins\":[{\"pluginId\":\"A\"}],\"heartbeatTimeoutMs\":123}"), 0);
        cr_assert_eq(configuration->plugins[0].limits.heartbeat_timeout_ms, 123);
}

Test(configuration, nulls_and_a_byte_order_mark_are_what_other_systems_write) {
        cr_assert_eq(
                load("\xef\xbb\xbf{\"host\":null,\"plugins\":[{\"pluginId\":\"A\",\"workingDirectory\":null,"
                     "\"command\":null}]}"),
                0);
        cr_assert_str_eq(configuration->host, "127.0.0.1");
        cr_assert_null(configuration->plugins[0].working_directory);
}

Test(configuration, a_host_that_is_no_address_and_unknown_keys_are_warnings) {
        cr_assert_eq(load("{\n\"host\":\"localhost\",\n\"prot\":1}"), 0);
        cr_assert_str_eq(configuration->host, "127.0.0.1");
        cr_assert_eq(configuration->warnings.count, 2);
        cr_assert_str_eq(configuration->warnings.items[0] + strlen(path),
                         ":3: prot is no key of the kernel; it is ignored");
        cr_assert_str_eq(configuration->warnings.items[1] + strlen(path),
                         ":2: host is no IP address; 127.0.0.1 is used");
}

Test(configuration, wrong_types) {
        refused("[]", ":1: the file must hold one object");
        refused("{\n\"host\": 1}", ":2: host must be a text in quotes");
        refused("{\n\n\"PORT\": 9000.5}", ":3: PORT must be a whole number");
        refused("{\"bridge\": \"yes\"}", ":1: bridge must be true or false");
        refused("{\"plugins\": {}}", ":1: plugins must be a list of plugins");
        refused("{\"plugins\":\n[\n1]}", ":3: plugins[0] must be an object");
        refused("{\"plugins\":[{\"pluginId\":\"A\",\n\"command\":\"sh\"}]}",
                ":2: plugins[0].command must be a list of texts");
        refused("{\"plugins\":[{\"pluginId\":\"A\",\n\"command\":[\"sh\",1]}]}",
                ":2: plugins[0].command must be a list of texts; element 1 is none");
        refused("{\"plugins\":[{\"pluginId\":\"A\",\"command\":[\"\"]}]}",
                ":1: plugins[0].command names no program");
        refused("{\"plugins\":[{\"pluginId\":\"A\",\"workingDirectory\":\"\"}]}",
                ":1: plugins[0].workingDirectory is empty");
}

Test(configuration, numbers_out_of_range) {
        refused("{\"port\":-1}", ":1: port must be between 0 and 65535, not -1");
        refused("{\"port\":65536}", ":1: port must be between 0 and 65535, not 65536");
        refused("{\"heartbeatTimeoutMs\":0}", ":1: heartbeatTimeoutMs must be between 1 and 3600000, not 0");
        refused("{\"plugins\":[{\"pluginId\":\"A\",\"exitAfterSeconds\":2147483648}]}",
                ":1: plugins[0].exitAfterSeconds must be between 0 and 2147483647, not 2147483648");
        cr_assert_eq(load("{\"port\":99999999999999999999}"), -EINVAL);
}

Test(configuration, ids) {
        refused("{\"plugins\":[{\"pluginId\":\"A\"},\n{\"pluginId\":\"B\"},\n{\"pluginId\":\"a\"}]}",
                ":3: plugins[2].pluginId \"a\" is also the id of plugins[0]");
        refused("{\"plugins\":[\n{\"autoStart\":true}]}", ":2: plugins[0] has no pluginId");
        refused("{\"plugins\":[{\"pluginId\":\"\"}]}", ":1: plugins[0].pluginId \"\" is empty");
        refused("{\"plugins\":[{\"pluginId\":\"a\\nb\"}]}",
                ":1: plugins[0].pluginId \"a\\x0ab\" contains a control character");
        refused("{\"plugins\":[{\"pluginId\":\"../x\"}]}",
                ":1: plugins[0].pluginId \"../x\" is no folder's name, so it needs a workingDirectory");
        refused("{\"plugins\":[{\"pluginId\":\"KERNEL\"}]}",
                ":1: plugins[0].pluginId \"KERNEL\" is the kernel's own id");
}

Test(configuration, the_same_key_twice) {
        cr_assert_eq(load("{\"port\":1,\n\"port\":2}"), -EINVAL);
        cr_assert(strncmp(problem + strlen(path), ":2: ", 4) == 0, "%s", problem);
        refused("{\"port\":1,\n\"Port\":2}", ":2: Port is there twice (case does not count)");
}

Test(configuration, broken_json_is_one_line_without_control_characters) {
        const char *const texts[] = { "",
                                      "{",
                                      "{\"a\" 1}",
                                      "{\"host\":\"\033[2J\"}",
                                      "{\"host\":\"\n\n\"}",
                                      "{} {}",
                                      "\xff",
                                      "{\"host\":\"a\\u0000b\"}",
                                      "{'port':1}",
                                      "{\"port\":1,}" };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                cr_assert_eq(load(texts[i]), -EINVAL, "%s", texts[i]);
                for (const char *at = problem; *at; at++)
                        cr_assert((unsigned char) *at >= ' ', "%s", problem);
        }
}

Test(configuration, what_is_no_file) {
        cleanup_temp_folder char *folder = temp_folder();
        char *nothing = path_in(folder, "nothing");

        cr_assert_eq(configuration_load(nothing, &configuration, &problem), -EINVAL);
        cr_assert_str_eq(problem + strlen(nothing), ": No such file or directory");
        free(problem);
        problem = NULL;
        cr_assert_eq(configuration_load(folder, &configuration, &problem), -EINVAL);
        cr_assert_str_eq(problem + strlen(folder), ": Is a directory");
        free(nothing);
}

Test(configuration, the_bridge_is_added_once) {
        cr_assert_eq(load("{}"), 0);
        cr_assert_eq(configuration_add_bridge(configuration), 0);
        cr_assert_eq(configuration->n_plugins, 1);
        cr_assert_str_eq(configuration->plugins[0].id, "Bridge");
        cr_assert_eq(load("{\"plugins\":[{\"pluginId\":\"bridge\"}]}"), 0);
        cr_assert_eq(configuration_add_bridge(configuration), 0);
        cr_assert_eq(configuration->n_plugins, 1);
        cr_assert_eq(load("{\"bridge\":false}"), 0);
        cr_assert_eq(configuration_add_bridge(configuration), 0);
        cr_assert_eq(configuration->n_plugins, 0);
}
