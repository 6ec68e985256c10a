"""The bridge through a real kernel: what a TCP client sees. Usage: test_system.py FOLDER ODD_PLUGIN [unittest's arguments]"""

import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
import uuid

from kernel_under_test import PATIENCE, Client, Kernel, message, user_logged_in, wait_until

PROGRAMS = ODD_PLUGIN = None
LOGGER = {"pluginId": "MetricLogger", "workingDirectory": "MetricLogger", "autoStart": True}


class OneKernel(unittest.TestCase):
    """Tests that share a kernel with a metric logger; each uses ids of its own."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.kernel = Kernel(PROGRAMS, [LOGGER], **cls.settings)
        cls.kernel.__enter__()
        cls.addClassCleanup(cls.kernel.__exit__)
        cls.kernel.pid_of("Bridge")
        cls.kernel.pid_of("MetricLogger")

    def client(self, plugin=None, **more):
        client = Client(self.kernel, plugin, **more)
        self.addCleanup(client.socket.close)
        return client

    def new_id(self):
        return "%s-%s" % (self._testMethodName[5:25], uuid.uuid4().hex[:8])


class Messages(OneKernel):
    def test_handshake_is_answered_as_csharp_writes_it(self):
        plugin = self.new_id()
        client = self.client()
        message_id = client.send(plugin, "Handshake", {"Name": "N", "Version": "1"})
        answer = client.read()
        self.assertEqual(answer["Header"]["MessageType"], "CommandResponse")
        self.assertEqual(answer["Header"]["CorrelationId"], message_id)
        self.assertRegex(answer["Header"]["MessageId"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertRegex(answer["Header"]["Timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z$")
        self.assertEqual(answer["Metadata"], {"PluginId": "kernel", "Sender": None, "Sequence": 0})
        self.assertEqual(answer["Payload"], {"OK": True, "Received": message_id})

    def test_event_of_a_client_is_in_the_metric_log(self):
        plugin = self.new_id()
        self.client(plugin).send(plugin, payload=user_logged_in("eva"))
        line = wait_until(lambda: [l for l in self.kernel.metrics().splitlines() if "Sender=" + plugin in l])[0]
        self.assertIn("\tUserLoggedIn\t", line)
        self.assertIn("\tUsername=eva\t", line)

    def test_nc_is_a_client(self):
        plugin = self.new_id()
        lines = [message(plugin, "Handshake", {"Name": "nc", "Version": "1"}, message_id="m1"),
                 message(plugin, payload=user_logged_in("netcat"))]
        text = "".join(json.dumps(line) + "\r\n" for line in lines)
        done = subprocess.run(["nc", "-N", "127.0.0.1", str(self.kernel.port)], input=text.encode(),
                              stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertIn({"OK": True, "Received": "m1"}, [a["Payload"] for a in answers])
        wait_until(lambda: "Sender=%s\tUserId=4711\tUsername=netcat" % plugin in self.kernel.metrics())

    def test_any_message_registers_without_a_handshake(self):
        plugin = self.new_id()
        client = self.client()
        client.send(plugin, "Heartbeat", {"Timestamp": "2025-12-02T10:35:00Z"})
        wait_until(lambda: self.kernel.is_connected(plugin))
        client.socket.close()
        wait_until(lambda: not any(line.startswith(plugin) for line in self.kernel.list()))

    def test_message_without_an_id_is_ignored(self):
        client = self.client()
        client.send("", "Handshake", {})
        client.send_bytes(b"{}\n{\"Header\":null,\"Metadata\":{\"PluginId\":null}}\n\n \r\n")
        client.shake_hands(self.new_id())

    def test_split_and_merged_reads(self):
        plugin = self.new_id()
        client = self.client(plugin)
        ids = [str(uuid.uuid4()) for _ in range(20)]
        stream = b"".join(json.dumps(message(plugin, "Handshake", {"Name": "æ€😀"}, i), ensure_ascii=False).encode() +
                          b"\n" for i in ids)
        for at in range(0, len(stream), 37):
            client.send_bytes(stream[at:at + 37])
            if at % 5 == 0:
                time.sleep(0.001)
        self.assertEqual([client.read()["Payload"]["Received"] for _ in ids], ids)
        client.send_bytes(stream)
        self.assertEqual([client.read()["Payload"]["Received"] for _ in ids], ids)

    def test_events_reach_every_other_client_with_their_sender(self):
        a, b, c = (self.new_id() for _ in range(3))
        first, second, third = self.client(a), self.client(b), self.client(c)
        message_id = first.send(a, payload={"Any": [1, None, "x"]}, Sender="somebody else")
        for client in second, third:
            got = client.read_until(lambda m: m["Header"]["MessageId"] == message_id)
            self.assertEqual(got["Metadata"]["Sender"], a)
            self.assertEqual(got["Metadata"]["PluginId"], a)
            self.assertEqual(got["Header"]["MessageType"], "CommandRequest")
            self.assertEqual(got["Payload"], {"Any": [1, None, "x"]})
            self.assertNotIn("Target", got["Metadata"])
        first.shake_hands(a)  # Nothing of its own came before this.

    def test_first_line_is_the_answer_to_the_handshake(self):
        talker = self.new_id()
        busy, done = self.client(talker), threading.Event()

        def talk():
            while not done.is_set():
                busy.send(talker, payload={"Talk": 1})
        thread = threading.Thread(target=talk)
        thread.start()
        try:
            for _ in range(100):
                plugin = self.new_id()
                with Client(self.kernel) as client:
                    client.send(plugin, "Handshake", {}, message_id="h")
                    self.assertEqual(client.read()["Header"]["CorrelationId"], "h")
                    client.read_until(lambda m: m["Metadata"]["Sender"] == talker)
        finally:
            done.set()
            thread.join()

    def test_every_value_is_kept_from_client_to_client(self):
        a, b = self.new_id(), self.new_id()
        sender, receiver = self.client(a), self.client(b)
        deep = 1
        for _ in range(64):
            deep = [deep]
        for payload in (None, True, 0, -1, 2**63 - 1, -2**63, 0.1, 1e300, -0.0, 5.0, 5e-324, "", "\0\x01\x7fæ€😀\"\\\n",
                        [], {}, {"": {"a": [[], {}]}}, deep, "x" * 200000, {str(i): i for i in range(5000)}):
            message_id = sender.send(a, payload=payload, Target=b)
            got = receiver.read_until(lambda m: m["Header"]["MessageId"] == message_id)
            self.assertEqual(repr(got["Payload"]), repr(payload))

    def test_request_goes_to_its_target_alone_and_the_answer_back(self):
        a, b, c = (self.new_id() for _ in range(3))
        asker, target, other = self.client(a), self.client(b), self.client(c)
        message_id = asker.send(a, payload={"Question": 1}, Target=b.upper())
        got = target.read_until(lambda m: m["Header"]["MessageId"] == message_id)
        self.assertEqual(got["Metadata"]["Sender"], a)
        target.send(b, "CommandResponse", {"Answer": 2}, correlation=message_id)
        answer = asker.answer_to(message_id)
        self.assertEqual(answer["Payload"], {"Answer": 2})
        self.assertEqual(answer["Metadata"]["PluginId"], b)
        target.send(b, "CommandResponse", {"Answer": 3}, correlation=message_id)  # Once is enough.
        asker.shake_hands(a)
        other.send_bytes(b"x\n")
        other.error("InvalidJson")

    def test_unknown_target_is_told(self):
        plugin = self.new_id()
        client = self.client(plugin)
        message_id = client.send(plugin, payload={}, Target="nobody")
        client.error("UnknownTarget", message_id)

    def test_acknowledged_event_is_answered_when_it_is_in_the_log(self):
        plugin = self.new_id()
        client = self.client(plugin)
        message_id = client.send(plugin, payload=user_logged_in("acknowledged-" + plugin), Ack=True)
        answer = client.answer_to(message_id)
        self.assertEqual(answer["Payload"], {"OK": True, "Received": message_id})
        self.assertIn("Username=acknowledged-" + plugin, self.kernel.metrics())

    def test_heartbeats_are_logged_by_the_kernel(self):
        plugin = self.new_id()
        client = self.client(plugin)
        client.send(plugin, "Heartbeat", {"Time": "2025-12-02T10:35:00Z"})
        path = os.path.join(self.kernel.folder, "kernel-heartbeats.log")
        wait_until(lambda: plugin + "\tseq=1" in read_text(path))


class Faults(OneKernel):
    def test_every_fault_is_told_and_the_connection_stays_usable(self):
        plugin = self.new_id()
        client = self.client(plugin)
        header = b'{"Header":{"MessageId":"m"},"Metadata":{"PluginId":"%s"},"Payload":' % plugin.encode()
        cases = [
            (b"nonsense", "InvalidJson", None),
            (b'{"Header":', "InvalidJson", None),
            (b'{"a":1}}', "InvalidJson", None),
            (b"\xff\xfe{}", "InvalidUtf8", None),
            (header + b'"\xed\xa0\x80"}', "InvalidUtf8", None),
            (header + b'"\\ud800"}', "InvalidJson", None),
            (b"[]", "InvalidMessage", None),
            (b"5", "InvalidMessage", None),
            (b'{"Header":5}', "InvalidMessage", None),
            (b'{"Header":{"MessageId":"m"},"Metadata":[]}', "InvalidMessage", "m"),
            (b'{"Header":{"MessageId":"m","MessageType":5}}', "InvalidMessage", "m"),
            (b'{"Header":{"MessageId":"m"},"Metadata":{"PluginId":"a\\u0000b"}}', "InvalidId", "m"),
            (b'{"Header":{"MessageId":"m"},"Metadata":{"PluginId":"%s"}}' % (b"x" * 65), "InvalidId", "m"),
            (header + b"9223372036854775808}", "NumberOutOfRange", "m"),
            (header + b"[1e999]}", "NumberOutOfRange", "m"),
            (header + b"[" * 65 + b"]" * 65 + b"}", "TooDeep", "m"),
            (b'{"Header":{"MessageType":"Nonsense","MessageId":"m"},"Metadata":{"PluginId":"%s"}}' % plugin.encode(),
             "InvalidMessage", "m"),
        ]
        for line, code, message_id in cases:
            with self.subTest(line=line[:80]):
                client.send_bytes(line + b"\n")
                client.error(code, message_id)
                client.shake_hands(plugin)

    def test_over_long_line_is_told_at_once_and_its_rest_is_skipped(self):
        plugin = self.new_id()
        client = self.client(plugin)
        client.send_bytes(b"x" * ((1 << 20) + 1))
        client.error("LineTooLong")
        client.send_bytes(b"y" * 3000000 + b"\n")
        client.shake_hands(plugin)

    def test_line_of_just_one_mebibyte_is_taken(self):
        plugin = self.new_id()
        client = self.client(plugin)
        start = json.dumps(message(plugin, "Handshake", "", message_id="big"))
        line = start[:-2] + "p" * ((1 << 20) - len(start)) + start[-2:]
        self.assertEqual(len(line), 1 << 20)
        client.send_bytes(line.encode() + b"\n")
        self.assertEqual(client.answer_to("big")["Payload"]["OK"], True)

    def test_delivered_line_may_be_longer_than_a_sent_one(self):
        a, b = self.new_id(), self.new_id()
        sender, receiver = self.client(a), self.client(b)
        payload = "\x7f" * 1000000  # One byte as it is sent, six as it is delivered.
        line = json.dumps(message(a, payload=payload, message_id="long", Target=b), ensure_ascii=False)
        sender.send_bytes(line.encode() + b"\n")
        got = receiver.read_until(lambda m: m["Header"]["MessageId"] == "long")
        self.assertEqual(got["Payload"], payload)

    def test_unfinished_last_line_of_a_client_that_goes_hurts_nobody(self):
        client = self.client(self.new_id())
        client.send_bytes(b'{"Header":{"Mess')
        client.socket.shutdown(socket.SHUT_WR)
        client.error("InvalidJson")
        self.assertIsNone(client.read())


class Ids(OneKernel):
    def test_one_connection_speaks_for_several_ids(self):
        a, b, other = (self.new_id() for _ in range(3))
        client, listener = self.client(a), self.client(other)
        client.send_bytes(b"".join(json.dumps(message(i, "Handshake", {}, "h-" + i)).encode() + b"\n" for i in (b, a)))
        self.assertEqual(client.answer_to("h-" + b)["Payload"]["OK"], True)
        self.assertEqual(client.answer_to("h-" + a)["Payload"]["OK"], True)
        for plugin in a, b:
            message_id = client.send(plugin, payload={"From": plugin})
            got = listener.read_until(lambda m: m["Header"]["MessageId"] == message_id)
            self.assertEqual(got["Metadata"]["Sender"], plugin)
        self.assertTrue(self.kernel.is_connected(a) and self.kernel.is_connected(b))

    def test_id_in_use_is_told_and_the_connection_stays_usable(self):
        plugin = self.new_id()
        first, second = self.client(plugin), self.client()
        for claim in plugin, plugin.upper(), "Bridge", "MetricLogger":
            message_id = second.send(claim, "Handshake", {})
            second.error("IdInUse", message_id)
        second.shake_hands(self.new_id())
        first.shake_hands(plugin)

    def test_ids_compare_without_case_in_every_alphabet(self):
        plugin = "Ærø-" + self.new_id()
        client = self.client(plugin)
        client.shake_hands(plugin.upper())
        client.shake_hands(plugin.lower())

    def test_65th_id_of_a_connection_is_refused_and_the_others_stay(self):
        plugin = self.new_id()
        client = self.client()
        for n in range(64):
            client.shake_hands("%s-%d" % (plugin, n))
        client.error("RateLimited", client.send(plugin, "Handshake", {}))
        client.shake_hands(plugin + "-63")

    def test_reserved_id_is_refused(self):
        client = self.client()
        message_id = client.send("Kernel", "Handshake", {})
        client.error("InvalidId", message_id)

    def test_messages_behind_the_first_wait_in_order_for_the_welcome(self):
        plugin, other = self.new_id(), self.new_id()
        listener = self.client(other)
        client = self.client()
        stream = [json.dumps(message(plugin, payload={"N": n})) for n in range(200)]
        client.send_bytes("\n".join(stream).encode() + b"\n")
        got = [listener.read_until(lambda m: m["Metadata"]["Sender"] == plugin)["Payload"]["N"] for _ in stream]
        self.assertEqual(got, list(range(200)))

    def test_id_is_free_as_soon_as_its_connection_has_ended(self):
        plugin = self.new_id()
        for _ in range(100):
            client = Client(self.kernel, plugin)
            client.send(plugin, "Heartbeat", {})
            client.socket.close()

    def test_client_that_left_while_it_waited_for_an_answer_can_come_back(self):
        plugin, silent = self.new_id(), self.new_id()
        target = self.client(silent)
        for _ in range(3):
            client = Client(self.kernel, plugin)
            message_id = client.send(plugin, payload={}, Target=silent)
            target.read_until(lambda m: m["Header"]["MessageId"] == message_id)
            client.socket.close()
        self.client(plugin)

    def test_what_a_client_sent_before_it_was_reset_is_done(self):
        noise, wanted = self.new_id(), []
        noisy, stop = self.client(noise), threading.Event()

        def make_noise():
            while not stop.is_set():
                noisy.send(noise, payload="x" * 1000)
        thread = threading.Thread(target=make_noise)
        thread.start()
        try:
            for n in range(50):
                plugin = self.new_id()
                wanted.append(plugin)
                with Client(self.kernel, plugin) as client:
                    client.read_until(lambda m: m["Metadata"]["Sender"] == noise)
                    client.send(plugin, payload=user_logged_in("gone"))  # What it has not read resets it now.
        finally:
            stop.set()
            thread.join()
        wait_until(lambda: all("Sender=" + plugin in self.kernel.metrics() for plugin in wanted),
                   lambda: "%d of 50" % sum("Sender=" + plugin in self.kernel.metrics() for plugin in wanted))

    def test_client_that_half_closes_gets_its_answers_first(self):
        a, b = self.new_id(), self.new_id()
        target = self.client(b)
        client = self.client()
        client.send(a, "Handshake", {}, message_id="h")
        client.send(a, payload={"Question": 1}, message_id="q", Target=b)
        client.send(a, payload=user_logged_in("half"), message_id="e", Ack=True)
        client.send_bytes(json.dumps(message(a, payload={}, message_id="u", Target="nobody")).encode())
        client.socket.shutdown(socket.SHUT_WR)
        target.read_until(lambda m: m["Header"]["MessageId"] == "q")
        time.sleep(0.3)
        target.send(b, "CommandResponse", {"Answer": 1}, correlation="q")
        answered = set()
        while True:
            got = client.read()
            if got is None:
                break
            answered.add(got["Header"]["CorrelationId"])
        self.assertLessEqual({"h", "q", "e", "u"}, answered)


class SlowClients(OneKernel):
    """Here answers are late on purpose: that they are too late is not what is tested."""

    settings = {"ackTimeoutMs": 600000}

    def test_slow_reader_loses_the_oldest_events_and_is_told_once(self):
        plugin, sender_id, fast_id = (self.new_id() for _ in range(3))
        slow, fast, sender = self.client(plugin, buffer=4096), self.client(fast_id), self.client(sender_id)
        count, filler = 1000, "x" * 20000
        for n in range(count):
            sender.send(sender_id, payload={"N": n, "Filler": filler})
            got = fast.read_until(lambda m: m["Metadata"]["Sender"] == sender_id)
            self.assertEqual(got["Payload"]["N"], n)  # Nobody else waits for it, or loses anything.
        sender.shake_hands(sender_id)
        slow.send(plugin, "Handshake", {}, message_id="still there")
        numbers, lost = [], []
        while True:
            got = slow.read()
            if got["Header"]["MessageType"] == "Error":
                self.assertEqual(got["Payload"]["Code"], "EventsLost")
                lost.append(int(got["Payload"]["Message"].split()[-1]))
            elif got["Header"]["CorrelationId"] == "still there":
                break
            elif got["Metadata"]["Sender"] == sender_id:
                numbers.append(got["Payload"]["N"])
        self.assertEqual(len(lost), 1)
        self.assertGreater(lost[0], 0)
        self.assertEqual(len(numbers) + lost[0], count)
        self.assertEqual(numbers, sorted(numbers))
        self.assertEqual(numbers[-1], count - 1)

    def test_client_that_leaves_a_mebibyte_of_answers_unread_is_closed(self):
        plugin, other = self.new_id(), self.new_id()
        greedy, polite = self.client(plugin, buffer=4096), self.client(other)
        line = json.dumps(message(plugin, "Handshake", {}, "m" * 2000)).encode() + b"\n"
        with self.assertRaises((ConnectionError, BrokenPipeError)):
            for _ in range(100000):
                greedy.send_bytes(line)
        polite.shake_hands(other)
        greedy.socket.close()
        self.client(plugin)  # Its id is free again.

    def refused(self, asker):
        got = asker.read_until(lambda m: m["Header"]["MessageType"] == "Error")
        self.assertEqual(got["Payload"], {"Code": "RateLimited", "Message": "the target is too far behind"})
        return got["Header"]["CorrelationId"]

    def check_requests(self, slow, asker, plugin, asker_id, ids, refused):
        """Each is either read by the one, in order, or told to the other, who has read some refusals already."""
        slow.send(plugin, "Handshake", {}, message_id="still there")
        asked = []
        while len(asked) + len(refused) < len(ids):
            got = slow.read()
            if got["Header"]["MessageType"] == "CommandRequest":
                asked.append(got["Header"]["MessageId"])
            else:
                self.assertEqual(got["Header"]["CorrelationId"], "still there")
                break
        while len(asked) + len(refused) < len(ids):
            refused.append(self.refused(asker))
        self.assertEqual(sorted(asked + refused), sorted(ids))
        self.assertEqual(asked, [i for i in ids if i in set(asked)])
        self.assertTrue(asked and refused)
        message_id = asker.send(asker_id, payload={}, Target=plugin)  # There is room again.
        slow.read_until(lambda m: m["Header"]["MessageId"] == message_id)

    def test_request_that_a_slow_reader_has_no_room_for_is_told_and_the_others_arrive(self):
        for count, size in (60, 200000), (6000, 1000):
            with self.subTest(size=size):
                plugin, asker_id = self.new_id(), self.new_id()
                slow, asker = self.client(plugin, buffer=4096), self.client(asker_id)
                ids, end, refused = [], [], []

                def ask():  # While answers are read: who leaves too many unread is closed.
                    ids.extend(asker.send(asker_id, payload="x" * size, Target=plugin) for _ in range(count))
                    end.append(asker.send(asker_id, payload={}, Target="nobody"))

                asking = threading.Thread(target=ask)
                asking.start()
                while True:
                    got = asker.read()
                    if got["Payload"]["Code"] != "RateLimited":
                        break
                    refused.append(got["Header"]["CorrelationId"])
                asking.join()  # By now the kernel has passed on all of them.
                self.assertEqual([got["Header"]["CorrelationId"]], end)
                self.check_requests(slow, asker, plugin, asker_id, ids, refused)

    def test_no_request_is_lost_while_kernel_and_bridge_stand_still_by_turns(self):
        plugin, asker_id = self.new_id(), self.new_id()
        slow, asker = self.client(plugin, buffer=4096), self.client(asker_id)
        ids, done = [str(uuid.uuid4()) for _ in range(4000)], threading.Event()
        line = json.dumps(message(plugin, "Heartbeat", "x" * 100000)).encode() + b"\n"
        pids = [self.kernel.process.pid, self.kernel.pid_of("Bridge")]

        def fill_channel():
            while not done.is_set():
                slow.send_bytes(line)

        def ask():
            for message_id in ids:  # So large that the target's bound, of bytes, comes before the asker's, of some 1,200 requests.
                asker.send(asker_id, payload="x" * 8000, message_id=message_id, Target=plugin)

        def take_turns():
            turn = 0
            while asking.is_alive():
                os.kill(pids[turn], signal.SIGSTOP)
                os.kill(pids[1 - turn], signal.SIGCONT)
                time.sleep(0.01)
                turn = 1 - turn
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        asking, *others = [threading.Thread(target=work) for work in (ask, take_turns, fill_channel)]
        for thread in asking, *others:
            thread.start()
        try:
            refused = [self.refused(asker) for _ in range(2000)]
        finally:
            asking.join()
            done.set()
            for thread in others:
                thread.join()
        end = asker.send(asker_id, payload={}, Target="nobody")
        while True:
            got = asker.read()
            if got["Header"]["CorrelationId"] == end:
                break
            refused.append(got["Header"]["CorrelationId"])
        self.check_requests(slow, asker, plugin, asker_id, ids, refused)

    def test_slow_reader_is_not_dropped_while_it_sends(self):
        plugin, sender_id = self.new_id(), self.new_id()
        slow, sender = self.client(plugin, buffer=4096), self.client(sender_id)
        for n in range(4500):
            slow.send(plugin, "Heartbeat", {})
            sender.send(sender_id, payload="x" * 5000, **({"Target": ""} if n % 2 else {}))
        sender.shake_hands(sender_id)
        slow.send(plugin, "Handshake", {}, message_id="still there")
        slow.answer_to("still there")

    def test_too_many_clients_are_refused(self):
        named = []
        self.addCleanup(lambda: [client.socket.close() for client in named])
        while True:
            client = Client(self.kernel)
            named.append(client)
            client.send(self.new_id(), "Handshake", {})
            answer = client.read_until(lambda m: m["Header"]["MessageType"] in ("CommandResponse", "Error"))
            if answer["Header"]["MessageType"] == "Error":
                break
            self.assertLess(len(named), 1000)
        self.assertEqual(answer["Payload"]["Code"], "RateLimited")
        self.assertIsNone(read_to_end(client))
        named[0].shake_hands(self.new_id())
        while named:
            named.pop().socket.close()
        wait_until(lambda: can_connect(self.kernel))

    def test_flood_of_lines_leaves_others_their_turn(self):
        plugin, other = self.new_id(), self.new_id()
        flood, polite = self.client(plugin), self.client(other)
        flood.socket.settimeout(0.01)
        line = json.dumps(message(plugin, "Heartbeat", {})).encode() + b"\n"
        slowest = 0
        for _ in range(50):
            try:
                while True:
                    flood.socket.send(line * 500)
            except (TimeoutError, socket.timeout):
                pass
            start = time.monotonic()
            polite.shake_hands(other)
            slowest = max(slowest, time.monotonic() - start)
        self.assertLess(slowest, PATIENCE)


class OwnKernel(unittest.TestCase):
    """Tests that need a kernel of their own."""

    def test_simulators_events_arrive_with_their_sender(self):
        simulator = {"pluginId": "EventSimulator", "workingDirectory": "EventSimulator",
                     "command": [os.path.join(PROGRAMS, "EventSimulator"), "--interval", "1"]}
        with Kernel(PROGRAMS, [simulator]) as kernel, Client(kernel, "Listener") as client:
            seen = set()
            while len(seen) < 2:
                got = client.read_until(lambda m: m["Header"]["MessageType"] == "CommandRequest")
                self.assertEqual(got["Metadata"]["Sender"], "EventSimulator")
                seen.add("UserLoggedIn" if "Username" in got["Payload"] else "DataProcessed")

    def test_bridge_that_dies_comes_back_on_its_port(self):
        with Kernel(PROGRAMS) as kernel:
            client = Client(kernel, "Before")
            os.kill(kernel.pid_of("Bridge"), 9)
            self.assertIsNone(read_to_end(client))
            wait_until(lambda: can_connect(kernel))
            with Client(kernel, "Before") as again:
                again.shake_hands("Before")
            client.socket.close()

    def test_killed_client_is_disconnected(self):
        with Kernel(PROGRAMS) as kernel, Client(kernel, "Victim") as client, Client(kernel, "Other") as other:
            kernel.command("kill Victim")
            self.assertIsNone(read_to_end(client))
            other.shake_hands("Other")

    def test_no_descriptors_left_does_not_spin(self):
        with Kernel(PROGRAMS) as kernel, Client(kernel, "First") as first:
            pid = kernel.pid_of("Bridge")
            used = len(os.listdir("/proc/%d/fd" % pid))
            hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 2, hard))
            clients = [Client(kernel) for _ in range(20)]
            before = processor_time(pid)
            time.sleep(1)
            self.assertLess(processor_time(pid) - before, 0.5)
            first.shake_hands("First")
            for client in clients:
                client.socket.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
            wait_until(lambda: can_connect(kernel))

    def run_alone(self, *arguments):
        """The bridge without a kernel gets as far as its port."""
        return subprocess.run([os.path.join(PROGRAMS, "Bridge"), *arguments], timeout=PATIENCE,
                              env={**os.environ, "LEAT_KERNEL": "/nonexistent"}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)

    def test_what_json_cannot_hold_is_told_to_who_said_it_and_to_who_asked(self):
        odd = {"pluginId": "OddPlugin", "workingDirectory": "OddPlugin", "command": [ODD_PLUGIN]}
        with Kernel(PROGRAMS, [odd]) as kernel, Client(kernel, "Asker") as client:
            kernel.pid_of("OddPlugin")
            for name, code in (("large", "NumberOutOfRange"), ("infinite", "NumberOutOfRange"),
                               ("number as a name", "InvalidMessage"), ("no text", "InvalidUtf8")):
                client.error(code, client.send("Asker", payload={"Say": name}, Target="OddPlugin"))
                start = len(kernel.output)
                client.send("Asker", payload={"Say": name})
                kernel.wait_for("Answer: " + code, start)
            for name, value in ("bytes", "TWFu"), ("time", "2025-12-02T10:38:12Z"):
                message_id = client.send("Asker", payload={"Say": name}, Target="OddPlugin")
                self.assertEqual(client.answer_to(message_id)["Payload"], value)

    def test_kernel_that_stands_still_for_a_while_loses_nothing(self):
        with Kernel(PROGRAMS, [LOGGER]) as kernel:
            kernel.pid_of("MetricLogger")
            count, clients = 300, [Client(kernel) for _ in range(100)]
            os.kill(kernel.process.pid, signal.SIGSTOP)
            for n, client in enumerate(clients):
                client.send("C%d" % n, "Handshake", {}, message_id="h")
            time.sleep(0.3)
            for n in range(count):
                clients[0].send("C0", payload=user_logged_in("u" * 3000), message_id="e%d" % n, Ack=True)
            os.kill(kernel.process.pid, signal.SIGCONT)
            for client in clients:
                self.assertEqual(client.answer_to("h")["Payload"]["OK"], True)
            for n in range(count):
                self.assertEqual(clients[0].answer_to("e%d" % n)["Payload"]["OK"], True)
            for client in clients:
                client.socket.close()

    def test_silent_clients_without_an_id_give_way_when_there_are_too_many(self):
        with Kernel(PROGRAMS) as kernel, Client(kernel, "Known") as known:
            silent = [Client(kernel) for _ in range(300)]
            wait_until(lambda: can_connect(kernel))  # After ten seconds.
            known.shake_hands("Known")
            for client in silent:
                client.socket.close()

    def test_clients_hear_the_end_of_the_kernel(self):
        with Kernel(PROGRAMS) as kernel, Client(kernel, "A") as named, Client(kernel) as nameless:
            kernel.command("quit")
            self.assertIsNone(read_to_end(named))
            self.assertIsNone(read_to_end(nameless))
            self.assertEqual(kernel.process.wait(PATIENCE), 0)

    def test_host_that_is_no_address_falls_back_to_loopback(self):
        with Kernel(PROGRAMS, host="no.such.host") as kernel, Client(kernel, "First") as client:
            client.shake_hands("First")
        done = self.run_alone("--host", "no.such.host", "--port", "0")
        self.assertIn("warning: host 'no.such.host' is no IP address; listening on 127.0.0.1", done.stderr)

    def test_port_in_use_is_one_clear_line_and_its_own_exit_code(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = self.run_alone("--port", str(port))
        self.assertEqual(done.returncode, 3)
        self.assertEqual(done.stdout, "")
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1)
        self.assertIn("port %d on 127.0.0.1 is in use" % port, lines[0])


class Chaos(unittest.TestCase):
    def chaos_leaves_nothing_behind(self, lanes, steps):
        """Clients that send anything and go at any moment; afterwards all is as before."""
        chance = random.Random(4711)
        with Kernel(PROGRAMS, environment={"LEAT_LANES": lanes}) as kernel, Client(kernel, "Witness") as witness:
            pids = [kernel.process.pid, kernel.pid_of("Bridge")]
            witness.shake_hands("Witness")
            before = wait_until(lambda: settled(witness, pids))
            make_chaos(chance, kernel, steps)
            wait_until(lambda: after_a_message(witness, pids) == before,
                       lambda: "%r, before %r" % (after_a_message(witness, pids), before))
            wait_until(lambda: not any(" connected=" in line and not line.startswith(("Witness", "Bridge"))
                                       for line in kernel.list()))

    def test_chaos_leaves_nothing_behind_on_sockets(self):
        self.chaos_leaves_nothing_behind("never", 1500)

    def test_chaos_leaves_nothing_behind_in_lanes(self):
        """From the start: one that came with the traffic would stay, and be descriptors more. A client costs a lane of 1 MiB each way, which
        takes ThreadSanitizer long: so there are fewer of them."""
        self.chaos_leaves_nothing_behind("always", 300)


def read_text(path):
    with open(path) as file:
        return file.read()


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def after_a_message(witness, pids):
    """How many descriptors each has. What a message brings is open until the next one comes: so the last one goes through the kernel, and
    brings nothing."""
    witness.answer_to(witness.send("Witness", payload={}, Target="nobody"))
    return [descriptors(pid) for pid in pids]


def settled(witness, pids):
    """As above, once that stays the same for a while: one that is passed on is open for a moment."""
    seen = set()
    for _ in range(20):
        seen.add(tuple(after_a_message(witness, pids)))
        time.sleep(0.02)
    return list(seen.pop()) if len(seen) == 1 else None


def make_chaos(chance, kernel, steps):
    clients = []
    for _ in range(steps):
        if len(clients) < 20:
            clients.append(Client(kernel))
        client = chance.choice(clients)
        try:
            do_anything(chance, client)
        except OSError:  # Closed by the bridge, or shut down by ourselves.
            ends = True
        else:
            ends = chance.random() < 0.1
        if ends:
            clients.remove(client)
            if chance.random() < 0.5:  # A reset instead of an end.
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()
    for client in clients:
        client.socket.close()


def do_anything(chance, client):
    line = json.dumps(message("C%d" % chance.randrange(30), chance.choice(["Handshake", "Heartbeat", "CommandRequest",
                                                                           "CommandResponse", "Error", ""]),
                              chance.choice([None, user_logged_in("x"), "y" * 5000]),
                              correlation=chance.choice([None, "", str(uuid.uuid4())]),
                              Target=chance.choice([None, None, "Bridge", "nobody"]),
                              Ack=chance.choice([None, True, False]))).encode() + b"\n"
    what = chance.randrange(8)
    if what == 0:
        client.send_bytes(bytes(chance.randrange(256) for _ in range(chance.randrange(300))))
    elif what == 1:
        client.send_bytes(line[:chance.randrange(len(line))])
    elif what == 2:
        at = chance.randrange(len(line))
        client.send_bytes(line[:at] + bytes([chance.randrange(256)]) + line[at + 1:])
    elif what == 3:
        client.send_bytes(line * chance.randrange(50))
    elif what == 4:
        client.socket.shutdown(socket.SHUT_WR)
    else:
        client.send_bytes(line)
    client.socket.setblocking(False)
    try:
        if chance.random() < 0.5:
            client.socket.recv(1 << 20)
    except BlockingIOError:
        pass
    client.socket.settimeout(PATIENCE)


def read_to_end(client):
    try:
        while client.read():
            pass
    except ConnectionError:
        pass


def can_connect(kernel):
    try:
        with Client(kernel, "Probe-" + uuid.uuid4().hex):
            return True
    except (ConnectionError, AssertionError):
        return False


def processor_time(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    PROGRAMS = os.path.abspath(sys.argv.pop(1))
    ODD_PLUGIN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
