/* Boost.Interprocess: a message queue in shared memory for each direction, which its processes lock in turn. It is the one
 * peer in C++. An empty message is the last. */
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <unistd.h>

#include "peers.h"

namespace ipc = boost::interprocess;

static constexpr size_t queued_bytes = 2 << 20;
static constexpr unsigned queued_messages = 1024;

struct link {
        std::unique_ptr<ipc::message_queue> queues[N_DIRECTIONS];
        std::unique_ptr<unsigned char[]> received;
        size_t size;
};

/* What the library throws, as errors. */
template <typename Action> static int guarded(Action action) {
        try {
                return action();
        } catch (const ipc::interprocess_exception &exception) {
                return exception.get_native_error() > 0 ? -exception.get_native_error() : -EIO;
        } catch (const std::bad_alloc &) {
                return -ENOMEM;
        }
}

/* Both sides inherit the memory, so its name is needed no longer than for making it. */
static std::unique_ptr<ipc::message_queue> make_queue(size_t size) {
        const std::string name = "leat-bench-" + std::to_string(getpid());
        const size_t count = messages_in(queued_bytes, size, queued_messages);
        std::unique_ptr<ipc::message_queue> queue;

        ipc::message_queue::remove(name.c_str());
        queue = std::make_unique<ipc::message_queue>(ipc::create_only, name.c_str(), count, size);
        ipc::message_queue::remove(name.c_str());
        return queue;
}

static int open_link(const struct peer *, const struct setup *setup, struct link **ret_link) {
        return guarded([=] {
                auto link = std::make_unique<struct link>();

                link->size = setup->size;
                link->received = std::make_unique<unsigned char[]>(setup->size);
                for (auto &queue : link->queues)
                        queue = make_queue(setup->size);
                *ret_link = link.release();
                return 0;
        });
}

static int send_message(struct link *link, enum direction direction, const void *message, size_t size) {
        return guarded([=] {
                link->queues[direction]->send(message, size, 0);
                return 0;
        });
}

static int receive_message(struct link *link, enum direction direction, const void **ret_message,
                           size_t *ret_size) {
        return guarded([=] {
                ipc::message_queue::size_type size;
                unsigned priority;

                link->queues[direction]->receive(link->received.get(), link->size, size, priority);
                *ret_message = link->received.get();
                *ret_size = size;
                return size > 0 ? 1 : 0;
        });
}

static void end_direction(struct link *link, enum direction direction) {
        (void) send_message(link, direction, "", 0);
}

static void close_link(struct link *link) {
        delete link;
}

const struct peer peer_boost = {
        .name = "boost",
        .title = "Boost message queue",
        .wait = "blocking",
        .open = open_link,
        .send = send_message,
        .receive = receive_message,
        .end = end_direction,
        .close = close_link,
};
