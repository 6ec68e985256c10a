/* The configuration is written by hand, so a mistake in it must be answered with the place to look at: one
 * line with the file, the line and the key. What a key may hold is said by two tables, one for the top of
 * the file and one for a plugin; nothing in here knows a key by name except those tables and the few
 * checks that need two values at once.
 *
 * Unknown keys are not errors (the C# kernel ignores them), but they are told, for a mistyped key is one
 * too. */
#include "configuration.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "file.h"
#include "identifier.h"
#include "ownership.h"
#include "place.h"

enum { FILE_MAX = 4 * 1024 * 1024, HOUR_MS = 60 * 60 * 1000 };

enum kind { TEXT, SWITCH, NUMBER, WORDS, PLUGINS };

struct key {
        const char *name;
        enum kind kind;
        size_t offset;
        json_int_t least, most; /* Of a number. */
};

#define LIMIT_KEYS(type)                                                                                     \
        { "heartbeatIntervalMs", NUMBER, offsetof(type, limits.heartbeat_interval_ms), 1, HOUR_MS },         \
        { "heartbeatTimeoutMs", NUMBER, offsetof(type, limits.heartbeat_timeout_ms), 1, HOUR_MS },           \
        { "startTimeoutMs", NUMBER, offsetof(type, limits.start_timeout_ms), 1, HOUR_MS },                   \
        { "stopTimeoutMs", NUMBER, offsetof(type, limits.stop_timeout_ms), 0, HOUR_MS },                     \
        { "terminateTimeoutMs", NUMBER, offsetof(type, limits.terminate_timeout_ms), 0, HOUR_MS },           \
        { "restartDelayMs", NUMBER, offsetof(type, limits.restart_delay_ms), 1, HOUR_MS },                   \
        { "restartDelayMaxMs", NUMBER, offsetof(type, limits.restart_delay_max_ms), 1, HOUR_MS },            \
        { "restartLimit", NUMBER, offsetof(type, limits.restart_limit), 0, 1000000 },                        \
        { "healthyMs", NUMBER, offsetof(type, limits.healthy_ms), 1, HOUR_MS },                              \
        { "lastWordsMs", NUMBER, offsetof(type, limits.last_words_ms), 0, HOUR_MS },                         \
        { "queueBytes", NUMBER, offsetof(type, limits.queue_bytes), 1024, 1024 * 1024 * 1024 }

static const struct key top_keys[] = {
        { "host", TEXT, offsetof(struct configuration, host), 0, 0 },
        { "port", NUMBER, offsetof(struct configuration, port), 0, 65535 },
        { "bridge", SWITCH, offsetof(struct configuration, bridge), 0, 0 },
        { "ackTimeoutMs", NUMBER, offsetof(struct configuration, acknowledge_timeout_ms), 1, HOUR_MS },
        { "helpTimeoutMs", NUMBER, offsetof(struct configuration, help_timeout_ms), 1, HOUR_MS },
        LIMIT_KEYS(struct configuration),
        { "plugins", PLUGINS, 0, 0, 0 }, /* The last, so that the limits above are known. */
        { NULL, TEXT, 0, 0, 0 },
};

static const struct key plugin_keys[] = {
        { "pluginId", TEXT, offsetof(struct plugin_configuration, id), 0, 0 },
        { "workingDirectory", TEXT, offsetof(struct plugin_configuration, working_directory), 0, 0 },
        { "dllRelativePath", TEXT, offsetof(struct plugin_configuration, program), 0, 0 },
        { "command", WORDS, offsetof(struct plugin_configuration, command), 0, 0 },
        { "arguments", WORDS, offsetof(struct plugin_configuration, arguments), 0, 0 },
        { "autoStart", SWITCH, offsetof(struct plugin_configuration, auto_start), 0, 0 },
        { "enabled", SWITCH, offsetof(struct plugin_configuration, enabled), 0, 0 },
        { "exitAfterSeconds", NUMBER, offsetof(struct plugin_configuration, exit_after_seconds), 0,
          INT32_MAX },
        LIMIT_KEYS(struct plugin_configuration),
        { NULL, TEXT, 0, 0, 0 },
};

static const struct limits default_limits = {
        .heartbeat_interval_ms = 2000,
        .heartbeat_timeout_ms = 8000,
        .start_timeout_ms = 10000,
        .stop_timeout_ms = 2000,
        .terminate_timeout_ms = 2000,
        .restart_delay_ms = 100,
        .restart_delay_max_ms = 10000,
        .restart_limit = 15,
        .healthy_ms = 5000,
        .last_words_ms = 500,
        .queue_bytes = 1024 * 1024,
};

struct reader {
        struct configuration *configuration;
        struct plugin_configuration *plugin; /* NULL at the top. */
        struct place place;
        char *problem;
};

/* Both say what is the matter with the key `name` (NULL: with the object as a whole), as the rest of a
 * sentence. */
__attribute__((format(printf, 3, 4))) static int fail(struct reader *reader, const char *name,
                                                      const char *format, ...) {
        CLEANUP(free_text) char *what = NULL;
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&what, format, arguments) < 0)
                what = NULL;
        va_end(arguments);
        reader->problem = what ? place_complain(&reader->place, name, what) : NULL;
        return reader->problem ? -EINVAL : -ENOMEM;
}

static int warn(struct reader *reader, const char *name, const char *what) {
        CLEANUP(free_text) char *line = place_complain(&reader->place, name, what);

        return line ? words_add(&reader->configuration->warnings, line) : -ENOMEM;
}

static int read_text(struct reader *reader, const char *name, json_t *value, char **target) {
        char *text;

        if (json_is_null(value)) /* The C# side writes what is not there as null. */
                return 0;
        if (!json_is_string(value))
                return fail(reader, name, "must be a text in quotes");
        text = strdup(json_string_value(value));
        if (!text)
                return -ENOMEM;
        free(*target);
        *target = text;
        return 0;
}

static int read_words(struct reader *reader, const char *name, json_t *value, struct words *target) {
        json_t *item;
        size_t i;

        if (json_is_null(value))
                return 0;
        if (!json_is_array(value))
                return fail(reader, name, "must be a list of texts");
        json_array_foreach(value, i, item) {
                int r;

                if (!json_is_string(item))
                        return fail(reader, name, "must be a list of texts; element %zu is none", i);
                r = words_add(target, json_string_value(item));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_number(struct reader *reader, const struct key *key, const char *name, json_t *value,
                       uint32_t *target) {
        json_int_t number = json_integer_value(value);

        if (!json_is_integer(value))
                return fail(reader, name, "must be a whole number");
        if (number < key->least || number > key->most)
                return fail(reader, name, "must be between %lld and %lld, not %lld", (long long) key->least,
                            (long long) key->most, (long long) number);
        *target = (uint32_t) number;
        return 0;
}

static int read_switch(struct reader *reader, const char *name, json_t *value, bool *target) {
        if (!json_is_boolean(value))
                return fail(reader, name, "must be true or false");
        *target = json_is_true(value);
        return 0;
}

static int read_plugins(struct reader *reader, const char *name, json_t *list);

static int read_key(struct reader *reader, const struct key *key, const char *name, json_t *value,
                    char *object) {
        char *target = object + key->offset;

        switch (key->kind) {
        case TEXT:
                return read_text(reader, name, value, (void *) target);
        case SWITCH:
                return read_switch(reader, name, value, (void *) target);
        case NUMBER:
                return read_number(reader, key, name, value, (void *) target);
        case WORDS:
                return read_words(reader, name, value, (void *) target);
        case PLUGINS:
                return read_plugins(reader, name, value);
        }
        return -EINVAL;
}

/* Tells unknown keys, and refuses a key that stands there in two spellings. */
static int check_names(struct reader *reader, const struct key *keys, json_t *object) {
        unsigned long seen = 0;
        const char *name;
        json_t *value;

        json_object_foreach(object, name, value) {
                size_t k = 0;

                while (keys[k].name && strcasecmp(keys[k].name, name) != 0)
                        k++;
                if (!keys[k].name) {
                        int r = warn(reader, name, "is no key of the kernel; it is ignored");

                        if (r < 0)
                                return r;
                } else if (seen & 1UL << k)
                        return fail(reader, name, "is there twice (case does not count)");
                seen |= 1UL << k;
        }
        return 0;
}

/* In the order of the table, not of the file, so that one key may build on another. */
static int read_object(struct reader *reader, const struct key *keys, json_t *object, void *target) {
        int r = check_names(reader, keys, object);

        for (const struct key *key = keys; r == 0 && key->name; key++) {
                const char *name;
                json_t *value;

                json_object_foreach(object, name, value)
                        if (r == 0 && strcasecmp(key->name, name) == 0)
                                r = read_key(reader, key, name, value, target);
        }
        return r;
}

/* A file that lacks a working directory gets a folder named like the id, which then must be a name of a
 * folder. */
static int check_id(struct reader *reader) {
        const struct plugin_configuration *plugin = reader->plugin;
        const char *problem;

        if (!plugin->id)
                return fail(reader, NULL, "has no pluginId");
        problem = identifier_problem(plugin->id);
        if (problem)
                return fail(reader, "pluginId", "\"%s\" %s", plugin->id, problem);
        for (size_t i = 0; i < reader->place.index; i++)
                if (identifier_equal(reader->configuration->plugins[i].id, plugin->id))
                        return fail(reader, "pluginId", "\"%s\" is also the id of plugins[%zu]", plugin->id,
                                    i);
        if (!plugin->working_directory &&
            (strchr(plugin->id, '/') || strcmp(plugin->id, ".") == 0 || strcmp(plugin->id, "..") == 0))
                return fail(reader, "pluginId", "\"%s\" is no folder's name, so it needs a workingDirectory",
                            plugin->id);
        return 0;
}

static int check_plugin(struct reader *reader) {
        const struct plugin_configuration *plugin = reader->plugin;
        int r = check_id(reader);

        if (r < 0)
                return r;
        if (plugin->working_directory && !*plugin->working_directory)
                return fail(reader, "workingDirectory", "is empty");
        if (plugin->program && !*plugin->program)
                return fail(reader, "dllRelativePath", "is empty");
        if (plugin->command.count > 0 && !*plugin->command.items[0])
                return fail(reader, "command", "names no program");
        return 0;
}

static int read_plugins(struct reader *reader, const char *name, json_t *list) {
        struct configuration *configuration = reader->configuration;
        json_t *item;
        size_t i;
        int r = 0;

        if (json_is_null(list))
                return 0;
        if (!json_is_array(list))
                return fail(reader, name, "must be a list of plugins");
        configuration->plugins = calloc(json_array_size(list) + 1, sizeof(*configuration->plugins));
        if (!configuration->plugins)
                return -ENOMEM;
        reader->place.list = name;
        json_array_foreach(list, i, item) {
                reader->place.index = i;
                reader->place.in_list = true;
                reader->plugin = &configuration->plugins[i];
                *reader->plugin = (struct plugin_configuration){ .auto_start = true,
                                                                 .enabled = true,
                                                                 .limits = configuration->limits };
                configuration->n_plugins++;
                r = json_is_object(item) ? read_object(reader, plugin_keys, item, reader->plugin) :
                                           fail(reader, NULL, "must be an object");
                if (r == 0)
                        r = check_plugin(reader);
                if (r < 0)
                        return r;
        }
        reader->place.in_list = false;
        reader->plugin = NULL;
        return 0;
}

static int check_host(struct reader *reader) {
        struct configuration *configuration = reader->configuration;
        unsigned char address[sizeof(struct in6_addr)];
        char *loopback;

        if (inet_pton(AF_INET, configuration->host, address) == 1 ||
            inet_pton(AF_INET6, configuration->host, address) == 1)
                return 0;
        loopback = strdup("127.0.0.1");
        if (!loopback || warn(reader, "host", "is no IP address; 127.0.0.1 is used") < 0) {
                free(loopback);
                return -ENOMEM;
        }
        free(configuration->host);
        configuration->host = loopback;
        return 0;
}

static int parse(struct reader *reader) {
        const char *text = reader->place.text;
        json_error_t error;
        json_t *root;
        int r;

        /* Windows' editors begin a file with a mark. */
        if (reader->place.size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
                reader->place.text += 3;
                reader->place.size -= 3;
        }
        root = json_loadb(reader->place.text, reader->place.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                          &error);
        if (!root) {
                const char *path = reader->configuration->path;
                CLEANUP(free_text) char *line = text_format("%s:%d: column %d: %s", path, error.line,
                                                            error.column, error.text);
                reader->problem = line ? text_escaped(line) : NULL;
                return reader->problem ? -EINVAL : -ENOMEM;
        }
        r = json_is_object(root) ? read_object(reader, top_keys, root, reader->configuration) :
                                   fail(reader, NULL, "the file must hold one object");
        if (r == 0)
                r = check_host(reader);
        json_decref(root);
        return r;
}

/* The path as it will be handed to plugins, whose current folder is another. */
static int resolve(struct configuration *configuration, const char *path) {
        configuration->path = realpath(path, NULL);
        if (!configuration->path)
                return -errno;
        configuration->folder = file_folder(configuration->path);
        return configuration->folder ? 0 : -ENOMEM;
}

static int prepare(const char *path, struct configuration **ret_configuration, char **ret_text,
                   size_t *ret_size) {
        struct configuration *configuration = calloc(1, sizeof(*configuration));
        int r = configuration ? resolve(configuration, path) : -ENOMEM;

        if (r == 0)
                r = file_read(configuration->path, FILE_MAX, ret_text, ret_size);
        if (r == 0) {
                configuration->port = 9000;
                configuration->bridge = true;
                configuration->acknowledge_timeout_ms = 30000;
                configuration->help_timeout_ms = 10000;
                configuration->limits = default_limits;
                configuration->host = strdup("127.0.0.1");
                r = configuration->host ? 0 : -ENOMEM;
        }
        if (r == 0)
                *ret_configuration = configuration;
        else
                configuration_free(configuration);
        return r;
}

int configuration_load(const char *path, struct configuration **ret_configuration, char **ret_problem) {
        CLEANUP(free_text) char *text = NULL;
        struct reader reader = { .place = { .list = "plugins" } };
        int r = prepare(path, &reader.configuration, &text, &reader.place.size);

        if (r < 0 && r != -ENOMEM) {
                CLEANUP(free_text) char *line = text_format("%s: %s", path, strerror(-r));

                *ret_problem = line ? text_escaped(line) : NULL;
                return *ret_problem ? -EINVAL : -ENOMEM;
        }
        if (r < 0)
                return r;
        reader.place.text = text;
        reader.place.path = reader.configuration->path;
        r = parse(&reader);
        if (r < 0) {
                configuration_free(reader.configuration);
                if (r == -EINVAL)
                        *ret_problem = reader.problem;
                return r;
        }
        *ret_configuration = reader.configuration;
        return 0;
}

int configuration_add_bridge(struct configuration *configuration) {
        struct plugin_configuration *plugins;
        struct plugin_configuration bridge = { .auto_start = true, .enabled = true,
                                               .limits = configuration->limits };

        for (size_t i = 0; i < configuration->n_plugins; i++)
                if (identifier_equal(configuration->plugins[i].id, CONFIGURATION_BRIDGE))
                        return 0;
        if (!configuration->bridge)
                return 0;
        plugins = reallocarray(configuration->plugins, configuration->n_plugins + 1, sizeof(*plugins));
        if (!plugins)
                return -ENOMEM;
        configuration->plugins = plugins;
        bridge.id = strdup(CONFIGURATION_BRIDGE);
        bridge.working_directory = strdup("."); /* It writes nothing, so it needs no folder of its own. */
        if (!bridge.id || !bridge.working_directory) {
                free(bridge.id);
                free(bridge.working_directory);
                return -ENOMEM;
        }
        plugins[configuration->n_plugins++] = bridge;
        return 0;
}

struct configuration *configuration_free(struct configuration *configuration) {
        if (!configuration)
                return NULL;
        for (size_t i = 0; i < configuration->n_plugins; i++) {
                struct plugin_configuration *plugin = &configuration->plugins[i];

                free(plugin->id);
                free(plugin->working_directory);
                free(plugin->program);
                words_clear(&plugin->command);
                words_clear(&plugin->arguments);
        }
        free(configuration->plugins);
        free(configuration->path);
        free(configuration->folder);
        free(configuration->host);
        words_clear(&configuration->warnings);
        free(configuration);
        return NULL;
}
