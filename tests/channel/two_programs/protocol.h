/* All that the two programs share. */
#include <leat/leat.h>

#define FRAME_SIZE ((size_t) 16 << 20)

LEAT_MESSAGE(note, (u64, number), (string, text));

/* Every kind of handle at once, a sender of this message's own type among them. */
LEAT_MESSAGE(bundle, (string, label), (sender, note, up), (receiver, note, down), (descriptor, pipe),
             (shared_memory, frame), (sender, bundle, again));
