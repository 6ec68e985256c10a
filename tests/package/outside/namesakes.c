/* A user may call functions of one's own as the library calls its inner ones: with the static library too,
 * each calls its own. */
#include <stdlib.h>

void packet_send(void);
void packet_receive(void);
void buffer_append(void);
void arena_allocate(void);
void plan_get(void);

void packet_send(void)
{
        abort();
}
void packet_receive(void)
{
        abort();
}
void buffer_append(void)
{
        abort();
}
void arena_allocate(void)
{
        abort();
}
void plan_get(void)
{
        abort();
}
