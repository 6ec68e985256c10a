/* A user's plugin. */
#include <leat/plugin.h>

int main(int argc, char **argv)
{
        const leat_plugin_program program = { .name = "Nothing", .version = "1", .summary = "Does nothing." };

        return leat_plugin_main(argc, argv, &program, NULL);
}
