/* What stands in kernelconfig.json. */
#ifndef LEAT_KERNEL_CONFIGURATION_H
#define LEAT_KERNEL_CONFIGURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

#define CONFIGURATION_NAME "kernelconfig.json"

/* The id of the plugin that owns TCP. */
#define CONFIGURATION_BRIDGE "Bridge"

/* What may be set for all plugins at the top, and for one plugin beside its id. Times are in milliseconds. */
struct limits {
        uint32_t heartbeat_interval_ms; /* How often the plugin is asked to send one. */
        uint32_t heartbeat_timeout_ms;  /* Silence after which it missed its heartbeat. */
        uint32_t start_timeout_ms;      /* From its start to its first word. */
        uint32_t stop_timeout_ms;       /* From being told to stop to SIGTERM. */
        uint32_t terminate_timeout_ms;  /* From SIGTERM to SIGKILL. */
        uint32_t restart_delay_ms;      /* The first pause before a restart; doubled at each further one. */
        uint32_t restart_delay_max_ms;
        uint32_t restart_limit;         /* So many quick failures in a row, and the plugin is given up. */
        uint32_t healthy_ms;            /* After so long in good health earlier failures are forgotten. */
        uint32_t last_words_ms; /* What came over TCP may arrive so long after its process has ended. */
        uint32_t queue_bytes;           /* Of events that wait in the kernel for the plugin to read. */
};

struct plugin_configuration {
        char *id;
        char *working_directory; /* As written; NULL: a folder named like the id. */
        char *program;           /* dllRelativePath; NULL when absent. */
        struct words command;    /* Empty when absent. */
        struct words arguments;
        bool auto_start;
        bool enabled;
        uint32_t exit_after_seconds;
        struct limits limits;
};

struct configuration {
        char *path;   /* Absolute. */
        char *folder; /* Of the path. */
        char *host;   /* A numeric address. */
        uint32_t port;
        bool bridge;
        uint32_t acknowledge_timeout_ms;
        uint32_t help_timeout_ms;
        struct limits limits; /* For plugins without their own, and for clients. */
        struct plugin_configuration *plugins;
        size_t n_plugins;
        struct words warnings; /* One line each, to be shown. */
};

/* Reads the file. Returns 0; -ENOMEM; or -EINVAL with one line in *ret_problem (free it) that names the
 * file, and, where there is one, the line and the key. Free *ret_configuration with configuration_free(). */
int configuration_load(const char *path, struct configuration **ret_configuration, char **ret_problem);

struct configuration *configuration_free(struct configuration *configuration);

/* Adds a row for the Bridge when it is wanted and none is configured. Returns 0 or -ENOMEM. */
int configuration_add_bridge(struct configuration *configuration);

#endif
