/* What the kernel and a plugin say to each other. It mirrors the IKT300 message (Header, Metadata, Payload),
 * so that the bridge translates without loss.
 *
 * A plugin that the kernel starts finds the name of a one-shot server in the environment variable
 * LEAT_KERNEL, connects, and sends a kernel_handshake. The kernel answers on its reply sender with a
 * kernel_welcome, which carries the plugin's two channels. From then on a plugin's identity is its channel,
 * never what a message claims.
 *
 * Plugins are written on libleat-plugin (leat/plugin.h), which speaks this for them. */
#ifndef LEAT_PROTOCOL_H
#define LEAT_PROTOCOL_H

#include <leat/leat.h>

/* The environment variable with the server's name. */
#define KERNEL_ENVIRONMENT "LEAT_KERNEL"

/* message_type, compared without case: Handshake, Heartbeat, CommandRequest, CommandResponse, Error. */
LEAT_MESSAGE(kernel_header, (string, message_type), (string, message_id), (string, timestamp),
             (optional, string, correlation_id));

/* target: the message goes to that plugin alone. ack: the publisher of an event wants an answer once every
 * durable subscriber has done its work. sender: set by the kernel. */
LEAT_MESSAGE(kernel_metadata, (string, plugin_id), (optional, string, sender), (i32, sequence),
             (optional, string, target), (boolean, ack));

/* payload: one MessagePack value, with the names of the JSON. */
LEAT_MESSAGE(kernel_message, (kernel_header, header), (kernel_metadata, metadata), (any, payload));

/* Asks that this plugin's heartbeat be not missed for so long from now. */
LEAT_MESSAGE(kernel_extend, (u32, milliseconds));

/* From the bridge only: the address it listens on. */
LEAT_MESSAGE(kernel_listening, (string, host), (u16, port));

LEAT_DECLARE(kernel_welcome);

/* From the bridge only: a TCP connection speaks for this id. The answer is a kernel_welcome. */
LEAT_MESSAGE(kernel_open_client, (string, id), (string, name), (string, version), (sender, kernel_welcome, reply));

LEAT_VARIANT(to_kernel, (kernel_message, message), (kernel_extend, extend), (kernel_listening, listening),
             (kernel_open_client, open_client));

/* The plugin is asked to end; it has as long as the configuration gives it. */
LEAT_MESSAGE(kernel_stop, (string, reason));

LEAT_VARIANT(to_plugin, (kernel_message, message), (kernel_stop, stop));

/* events: the names of the events that it wants ("UserLoggedIn", "DataProcessed"), or "*" for all. durable:
 * it answers every event that has metadata.ack, after its work is done, with a CommandResponse. */
LEAT_MESSAGE(kernel_handshake, (string, id), (string, name), (string, version), (array, string, events),
             (boolean, durable), (sender, kernel_welcome, reply));

/* ok: both channels are set. Otherwise code and text say why not: IdInUse, InvalidId, Unauthorized. */
LEAT_DEFINE_MESSAGE(kernel_welcome, (boolean, ok), (string, code), (string, text), (u32, heartbeat_ms),
                    (sender, to_kernel, commands), (receiver, to_plugin, deliveries));

#endif
