/* As word.c, in C++. */
#include <cstdio>
#include <cstring>
#include <leat/leat.h>

LEAT_MESSAGE(word, (string, text));

int main()
{
        word_sender tx = {};
        word_receiver rx = {};
        word sent = {}, got = {};
        int r = word_channel(&tx, &rx);

        sent.text = "hello";
        if (r == 0)
                r = word_send(tx, &sent, LEAT_NOW);
        if (r == 0)
                r = word_recv(rx, &got, LEAT_NOW);
        if (r == 0 && std::strcmp(leat_version(), LEAT_VERSION) == 0)
                std::printf("%s from leat %s\n", got.text, leat_version());
        word_sender_close(&tx);
        word_receiver_close(&rx);
        return r != 0;
}
