/* A user's program: it is of the version that it was compiled with, and a message gets through. */
#include <leat/leat.h>
#include <stdio.h>
#include <string.h>

LEAT_MESSAGE(word, (string, text), (array, i32, numbers));

int main(void)
{
        int32_t numbers[] = { 1, 2, 3 };
        word_sender tx = { 0 };
        word_receiver rx = { 0 };
        word got;
        int r = word_channel(&tx, &rx);

        if (r == 0)
                r = word_send(tx, &(word){ .text = "hello", .numbers = { numbers, 3 } }, LEAT_NOW);
        if (r == 0)
                r = word_recv(rx, &got, LEAT_NOW);
        if (r == 0 && got.numbers.count == 3 && strcmp(leat_version(), LEAT_VERSION) == 0)
                printf("%s from leat %s\n", got.text, leat_version());
        word_sender_close(&tx);
        word_receiver_close(&rx);
        return r != 0;
}
