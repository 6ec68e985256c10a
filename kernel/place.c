/* "file:line: plugins[1].port must be …": the form that editors jump to, and that a user can search for. */
#include "place.h"

#include "json_line.h"
#include "ownership.h"
#include "text.h"

char *place_complain(const struct place *place, const char *name, const char *what) {
        const struct json_step steps[] = { { place->list, 0 }, { NULL, place->index }, { name, 0 } };
        CLEANUP(free_text) char *line = NULL;
        size_t first = place->in_list ? 0 : 2, n = (place->in_list ? 2U : 0U) + (name ? 1U : 0U);
        unsigned number = json_line(place->text, place->size, steps + first, n);

        if (place->in_list)
                line = text_format("%s:%u: plugins[%zu]%s%s %s", place->path, number, place->index,
                                   name ? "." : "", name ? name : "", what);
        else
                line = text_format("%s:%u: %s%s%s", place->path, number, name ? name : "", name ? " " : "",
                                   what);
        return line ? text_escaped(line) : NULL;
}
