/* The console's small language. It says what was meant, and knows no plugin: what is done, and what is
 * answered, is decided by commands.c. */
#include "console.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ownership.h"

/* Copies the next word into `word` and returns what is behind it, or NULL when there is no word. */
static const char *next_word(const char *at, char *word) {
        char quote = '\0';
        size_t used = 0;

        at += strspn(at, " \t\r");
        if (!*at)
                return NULL;
        for (; *at && (quote || !strchr(" \t\r", *at)); at++) {
                if (quote ? *at == quote : *at == '"' || *at == '\'')
                        quote = quote ? '\0' : *at;
                else
                        word[used++] = *at;
        }
        word[used] = '\0';
        return at;
}

static int split(const char *line, struct words *words) {
        CLEANUP(free_text) char *word = malloc(strlen(line) + 1);

        if (!word)
                return -ENOMEM;
        while ((line = next_word(line, word))) {
                int r = words_add(words, word);

                if (r < 0)
                        return r;
        }
        return 0;
}

static bool asks_for_help(const char *word) {
        return strcasecmp(word, "-h") == 0 || strcasecmp(word, "--help") == 0 ||
               strcasecmp(word, "help") == 0;
}

static enum console_verb find_verb(const char *word) {
        static const struct {
                const char *word;
                enum console_verb verb;
        } verbs[] = {
                { "help", CONSOLE_HELP }, { "?", CONSOLE_HELP },        { "list", CONSOLE_LIST },
                { "kill", CONSOLE_KILL }, { "start", CONSOLE_START },   { "exit", CONSOLE_QUIT },
                { "quit", CONSOLE_QUIT }, { "shutdown", CONSOLE_QUIT },
        };

        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
                if (strcasecmp(verbs[i].word, word) == 0)
                        return verbs[i].verb;
        return CONSOLE_PLUGIN;
}

static void understand(struct console_command *command) {
        char **words = command->words.items;
        size_t n = command->words.count, used = 1;

        command->word = words[0];
        command->verb = find_verb(words[0]);
        switch (command->verb) {
        case CONSOLE_HELP:
                if (n > 1) {
                        command->verb = CONSOLE_HELP_PLUGIN;
                        command->id = words[used++];
                }
                break;
        case CONSOLE_KILL:
        case CONSOLE_START:
                command->id = n > 1 ? words[used++] : NULL;
                break;
        case CONSOLE_PLUGIN:
                command->id = words[0];
                if (n > 1 && asks_for_help(words[1])) {
                        command->verb = CONSOLE_HELP_PLUGIN;
                        used = n;
                }
                break;
        default:
                break;
        }
        command->rest = words + used;
        command->n_rest = n - used;
}

int console_parse(const char *line, struct console_command *ret_command) {
        struct console_command command = { .verb = CONSOLE_NOTHING };
        int r = split(line, &command.words);

        if (r < 0) {
                words_clear(&command.words);
                return r;
        }
        if (command.words.count > 0)
                understand(&command);
        *ret_command = command;
        return 0;
}

void console_clear(struct console_command *command) {
        words_clear(&command->words);
        *command = (struct console_command){ 0 };
}
