"""Who gets what, and what happens to those who do not read."""

import collections
import os
import re
import signal
import time
import unittest

import harness
from harness import KernelTest, configuration, wait_until


class Bus(KernelTest):
    def setUp(self):
        super().setUp()
        if not harness.PLUGIN:
            raise unittest.SkipTest("needs the program test_kernel_plugin")

    @staticmethod
    def plugin(identifier, *arguments, **more):
        return {"pluginId": identifier, "command": [harness.PLUGIN, "--mode", *arguments], **more}

    def test_events_go_to_everybody_else(self):
        kernel = self.start(configuration({"pluginId": "MetricLogger"}))
        kernel.wait_connected("MetricLogger")
        one, two, three = (self.client(kernel, name) for name in ("One", "Two", "Three"))
        for client in (one, two, three):
            client.handshake()
        message_id = one.login(1, plugin_id="One")
        for other in (two, three):
            event = other.wait(lambda m: m["Header"]["MessageId"] == message_id, "the event")
            self.assertEqual(event["Header"]["MessageType"], "CommandRequest")
            self.assertEqual(event["Metadata"]["Sender"], "One")
            self.assertEqual(event["Payload"]["UserId"], 1)
        self.wait_metrics(lambda text: "\tSender=One\t" in text, "the metric line")
        self.assertIsNone(one.find(lambda m: m["Header"]["MessageId"] == message_id))

    def late(self, folder, program, patience):
        """A plugin that lets itself be waited for."""
        script = os.path.join(folder, "late")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nsleep {patience}\nexec "{program}" "$@"\n')
        os.chmod(script, 0o755)
        return script

    def test_a_durable_plugin_that_is_just_being_started_is_waited_for(self):
        logger = os.path.join(os.path.dirname(harness.KERNEL), "MetricLogger")
        kernel = self.start(configuration({"pluginId": "MetricLogger", "command": [self.late(self.folder, logger, 1)]}))
        client = self.client(kernel, "Early")
        client.handshake()
        message_id = client.login(4711, plugin_id="Early", ack=True)
        self.assertEqual(client.wait_answer(message_id)["Payload"], {"OK": True, "Received": message_id})
        self.wait_metrics(lambda text: text.count("\tUserId=4711\t") == 1, "the metric line")

    def test_a_plugin_that_never_comes_does_not_hold_up_acknowledgements(self):
        kernel = self.start(configuration({"pluginId": "Mute", "command": ["sleep", "60"], "startTimeoutMs": 500}))
        client = self.client(kernel, "Early")
        client.handshake()
        message_id = client.login(1, plugin_id="Early", ack=True)
        self.assertEqual(client.wait_answer(message_id)["Payload"], {"OK": True, "Received": message_id})

    def test_requests_go_to_one_and_answers_back(self):
        kernel = self.start(configuration())
        asker, target, other = (self.client(kernel, name) for name in ("Asker", "Target", "Other"))
        for client in (asker, target, other):
            client.handshake()
        message_id = asker.send("CommandRequest", {"Question": 6}, target="TARGET")
        request = target.wait(lambda m: m["Header"]["MessageId"] == message_id, "the request")
        self.assertEqual(request["Metadata"]["Sender"], "Asker")
        for _ in range(2):
            target.send("CommandResponse", {"Answer": 42}, correlation=message_id)
        answer = asker.wait_answer(message_id)
        self.assertEqual(answer["Payload"], {"Answer": 42})
        self.assertEqual(answer["Metadata"]["Sender"], "Target")
        kernel.wait_line("^CommandResponse from plugin Target answers nothing")
        answers = [m for m in asker.received if m["Header"]["CorrelationId"] == message_id]
        self.assertEqual(len(answers), 1)
        self.assertIsNone(other.find(lambda m: m["Header"]["MessageId"] == message_id))
        message_id = asker.send("CommandRequest", {"Question": 7}, target="Nobody")
        answer = asker.wait_answer(message_id)
        self.assertEqual((answer["Header"]["MessageType"], answer["Payload"]["Code"]), ("Error", "UnknownTarget"))
        self.assertEqual(answer["Metadata"]["PluginId"], "kernel")

    def test_an_error_is_an_answer_too(self):
        kernel = self.start(configuration())
        asker, target = (self.client(kernel, name) for name in ("Asker", "Target"))
        for client in (asker, target):
            client.handshake()
        message_id = asker.send("CommandRequest", None, target="Target")
        target.wait(lambda m: m["Header"]["MessageId"] == message_id, "the request")
        target.send("Error", {"Code": "Own", "Message": "no"}, correlation=message_id)
        self.assertEqual(asker.wait_answer(message_id)["Payload"], {"Code": "Own", "Message": "no"})

    def clients(self, kernel, *names):
        clients = [self.client(kernel, name) for name in names]
        for client in clients:
            client.handshake()
        return clients

    def ask(self, asker, target):
        """Sends a request to the client `target` and waits until it is there."""
        message_id = asker.send("CommandRequest", {"Question": 6}, target=target.id)
        target.wait(lambda m: m["Header"]["MessageId"] == message_id, "the request")
        return message_id

    def assert_refused(self, asker, message_id, code):
        answer = asker.wait_answer(message_id)
        self.assertEqual((answer["Header"]["MessageType"], answer["Payload"]["Code"]), ("Error", code))
        self.assertEqual(answer["Metadata"]["PluginId"], "kernel")

    def assert_one_answer(self, asker, message_id):
        asker.handshake() # Whatever was on its way to it before this is there after it.
        self.assertEqual(len([m for m in asker.received if m["Header"]["CorrelationId"] == message_id]), 1)

    def test_who_asks_hears_that_the_target_is_gone(self):
        kernel = self.start(configuration(self.plugin("Sleeper", "sleeper")))
        asker, target = self.clients(kernel, "Asker", "Target")
        message_id = self.ask(asker, target)
        target.close()
        self.assert_refused(asker, message_id, "UnknownTarget")
        kernel.wait_line(r"^\[Plugin:Sleeper\] asleep$")
        pid = kernel.wait_connected("Sleeper")
        message_id = asker.send("CommandRequest", {"Question": 7}, target="Sleeper")
        asker.handshake() # So the kernel has had the request.
        os.kill(pid, signal.SIGKILL)
        self.assert_refused(asker, message_id, "UnknownTarget")
        kernel.wait_connected("Sleeper", other_than=pid)
        self.assert_one_answer(asker, message_id)

    def test_who_asks_is_not_left_waiting_for_ever(self):
        kernel = self.start(configuration(ackTimeoutMs=500))
        asker, target = self.clients(kernel, "Asker", "Target")
        message_id = self.ask(asker, target)
        self.assert_refused(asker, message_id, "Timeout")
        target.send("CommandResponse", {"Answer": 42}, correlation=message_id)
        kernel.wait_line(f"^CommandResponse from plugin Target answers nothing .CorrelationId {message_id}")
        self.assert_one_answer(asker, message_id)

    def test_only_who_was_asked_can_answer(self):
        kernel = self.start(configuration())
        asker, target, thief = self.clients(kernel, "Asker", "Target", "Thief")
        message_id = self.ask(asker, target)
        thief.send("CommandResponse", {"Answer": 666}, correlation=message_id)
        kernel.wait_line("^CommandResponse from plugin Thief answers nothing")
        thief.send("Error", {"Code": "Own", "Message": "no"}, correlation=message_id)
        kernel.wait_line("^Error from plugin Thief answers nothing")
        target.send("CommandResponse", {"Answer": 42}, correlation=message_id)
        self.assertEqual(asker.wait_answer(message_id)["Payload"], {"Answer": 42})
        self.assert_one_answer(asker, message_id)

    def test_an_answer_is_only_for_who_asked(self):
        kernel = self.start(configuration())
        asker, target = self.clients(kernel, "Asker", "Target")
        message_id = self.ask(asker, target)
        kernel.type("kill Asker") # The bridge would keep one that only closes its connection, for the answer.
        wait_until(lambda: "Asker" not in kernel.list(), "its row gone")
        again, = self.clients(kernel, "Asker")
        target.send("CommandResponse", {"Answer": 42}, correlation=message_id)
        kernel.wait_line("^CommandResponse from plugin Target answers nothing")
        again.handshake()
        self.assertIsNone(again.find(lambda m: m["Header"]["CorrelationId"] == message_id))

    def test_many_requests_have_one_answer_each(self):
        """Beyond the bounds they are refused at once; nobody who asked is cut when all the others fail together."""
        kernel = self.start(configuration())
        target, *askers = self.clients(kernel, "Target", "A", "B", "C", "D")
        sent = [[asker.send("CommandRequest", {"N": number}, target="Target") for number in range(1300)]
                for asker in askers]
        for asker in askers:
            asker.handshake()
        target.close()
        codes = collections.Counter()
        for asker, messages in zip(askers, sent):
            def answers():
                return {m["Header"]["CorrelationId"]: m["Payload"].get("Code") for m in list(asker.received)}
            wait_until(lambda: set(messages) <= set(answers()), f"an answer to each request of {asker.id}")
            codes.update(answers()[message] for message in messages)
            self.assert_one_answer(asker, messages[0])
            self.assert_one_answer(asker, messages[-1])
        self.assertEqual(set(codes), {"UnknownTarget", "RateLimited"})
        self.assertLessEqual(codes["UnknownTarget"], 4096)

    def test_a_message_cannot_claim_another_sender(self):
        kernel = self.start(configuration({"pluginId": "MetricLogger"}, self.plugin("Forger", "forger", autoStart=False)))
        client = self.client(kernel, "Witness")
        client.handshake()
        kernel.wait_connected("MetricLogger")
        kernel.type("start Forger")
        event = client.wait(lambda m: (m["Payload"] or {}).get("Text") == "forged", "the event")
        self.assertEqual((event["Metadata"]["PluginId"], event["Metadata"]["Sender"]), ("Forger", "Forger"))

    def test_only_the_started_process_may_join(self):
        kernel = self.start(configuration(self.plugin("Intruder", "intruder"), bridge=False))
        kernel.wait_line(r"^\[Plugin:Intruder\] intruder: ")
        line = next(line for line in kernel.lines if "intruder: " in line)
        self.assertNotIn("success", line)
        kernel.wait_connected("Intruder")

    def test_only_the_bridge_opens_clients(self):
        kernel = self.start(configuration(self.plugin("Thief", "thief")))
        kernel.wait_line(r"^\[Plugin:Thief\] client: refused Unauthorized$")
        kernel.wait_connected("Thief")
        self.assertNotIn("Stolen", kernel.list())
        self.assertNotIn("10.0.0.1", kernel.text)

    def test_a_plugin_may_ask_for_time(self):
        kernel = self.start(configuration(self.plugin("Extender", "extender", heartbeatTimeoutMs=1200), bridge=False))
        pid = kernel.wait_connected("Extender")
        kernel.wait_line(r"^\[Plugin:Extender\] still here$")
        self.assertEqual(kernel.wait_connected("Extender"), pid)

    def test_a_plugin_that_closes_its_channel_and_stays_is_replaced(self):
        kernel = self.start(configuration(self.plugin("Closer", "closer", heartbeatTimeoutMs=400), bridge=False))
        kernel.wait_line(r"^\[Plugin:Closer\] closed$")
        kernel.wait_line("^Plugin Closer missed its heartbeat: nothing was heard for 400 ms; it is replaced")
        kernel.wait_line("^Plugin Closer was ended by signal 9 .*; restarting it")

    def test_nonsense_does_no_harm(self):
        kernel = self.start(configuration(self.plugin("Mumbler", "mumbler"), bridge=False))
        kernel.wait_line("^CommandResponse from plugin Mumbler answers nothing")
        kernel.wait_line("^Error from plugin Mumbler answers nothing")
        kernel.wait_connected("Mumbler")
        self.assertEqual(kernel.quit(), 0)

    def test_who_does_not_read_loses_the_newest_events(self):
        """Bounded, counted, told where they are missing; nobody else waits."""
        kernel = self.start(configuration(self.plugin("Sleeper", "sleeper", queueBytes=65536),
                                          self.plugin("Flood", "flood", "5000", autoStart=False),
                                          {"pluginId": "MetricLogger"}, bridge=False))
        kernel.wait_line(r"^\[Plugin:Sleeper\] asleep$")
        kernel.wait_connected("MetricLogger")
        kernel.type("start Flood")
        kernel.wait_line(r"^\[Plugin:Flood\] sent 5000$")
        rows = kernel.list()
        self.assertTrue(all(row[0] for row in rows.values()), rows)
        with open(f"/proc/{kernel.process.pid}/status", encoding="ascii") as status:
            resident = int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))
        if not harness.is_sanitized():
            self.assertLess(resident, 64 * 1024)
        self.write("Sleeper/wake", "")
        match = kernel.wait_line(r"^\[Plugin:Sleeper\] events=(\d+) lost=(\d+) notices=(\d+)$")[0]
        events, lost, notices = (int(group) for group in match.groups())
        self.assertEqual(events + lost, 5000)
        self.assertGreater(lost, 0)
        self.assertGreater(events, 0)
        self.assertEqual(notices, 1)

    def test_a_durable_subscriber_owes_only_so_much(self):
        """Beyond its bound the publisher hears that it is lost; what it owes is done when it goes on."""
        kernel = self.start(configuration({"pluginId": "MetricLogger", "queueBytes": 20000}))
        pid = kernel.wait_connected("MetricLogger")
        client = self.client(kernel, "Publisher")
        client.handshake()
        os.kill(pid, signal.SIGSTOP)
        sent = [client.login(number, ack=True) for number in range(200)]
        lost = client.wait(lambda m: m["Header"]["MessageType"] == "Error", "a refusal")
        self.assertEqual(lost["Payload"]["Code"], "EventsLost")
        os.kill(pid, signal.SIGCONT)
        answers = [client.wait_answer(message) for message in sent]
        done = [number for number, answer in enumerate(answers) if answer["Payload"].get("OK")]
        self.assertGreater(len(done), 10)
        self.assertLess(len(done), 200)
        log = self.read("MetricLogger/metrics/metrics.log")
        self.assertEqual([int(user) for user in re.findall(r"\tUserId=(\d+)\t", log)], done)

    def test_an_event_larger_than_a_packet(self):
        kernel = self.start(configuration())
        one, two = (self.client(kernel, name) for name in ("One", "Two"))
        for client in (one, two):
            client.handshake()
        text = "æ" * 150000
        message_id = one.send("CommandRequest", {"Text": text})
        event = two.wait(lambda m: m["Header"]["MessageId"] == message_id, "the event")
        self.assertEqual(event["Payload"], {"Text": text})

    def test_what_a_plugin_prints(self):
        kernel = self.start(configuration(self.plugin("Printer", "printer", autoStart=False), bridge=False))
        kernel.type("start Printer")
        kernel.wait_line(r"^Plugin Printer exited with code 5; it is stopped\.$")
        for line in ("[Plugin:Printer] plain", "[Plugin:Printer] \033[31mred\033[0m",
                     "[Plugin:Printer] no newline at the end", "[Plugin:Printer ERR] to the other side"):
            self.assertIn(line, kernel.lines)


class Output(KernelTest):
    def test_a_stuck_standard_output_stops_nothing(self):
        """Nobody reads the kernel's output; later somebody does, and is told what is missing."""
        self.write("Chatter/Chatter", "#!/bin/sh\ni=0\nwhile [ $i -lt 60000 ]; do i=$((i+1)); "
                                      "echo line number $i of very many; done\necho ending; exit 0\n", 0o755)
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        kernel = self.start(configuration({"pluginId": "Chatter", "autoStart": False}, {"pluginId": "MetricLogger"},
                                          bridge=False), stdout=writing)
        os.close(writing)
        try:
            wait_until(lambda: "\tseq=1\n" in self.read("kernel-heartbeats.log"), "a first heartbeat")
            kernel.type("start Chatter")
            wait_until(lambda: "\tseq=3\n" in self.read("kernel-heartbeats.log"), "heartbeats go on")
            os.set_blocking(reading, False)
            text = b""
            end = time.monotonic() + harness.PATIENCE
            while b"lines of output were dropped)" not in text and time.monotonic() < end:
                try:
                    text += os.read(reading, 1 << 20)
                except BlockingIOError:
                    time.sleep(0.02)
            self.assertRegex(text, rb"\n\((\d+) lines of output were dropped\)\n")
            self.assertIn(b"[Plugin:Chatter] line number 1 of very many\n", text)
            kernel.process.terminate()
            while kernel.process.poll() is None and time.monotonic() < end:
                try:
                    os.read(reading, 1 << 20)
                except BlockingIOError:
                    time.sleep(0.02)
            self.assertEqual(kernel.process.wait(harness.PATIENCE), 0)
        finally:
            os.close(reading)

    def test_it_ends_while_standard_output_is_stuck(self):
        self.write("Chatter/Chatter", "#!/bin/sh\nwhile :; do echo much too much to say; done\n", 0o755)
        reading, writing = os.pipe()
        kernel = self.start(configuration({"pluginId": "Chatter"}, bridge=False, stopTimeoutMs=100), stdout=writing)
        os.close(writing)
        try:
            time.sleep(0.5)
            kernel.process.terminate()
            self.assertEqual(kernel.process.wait(harness.PATIENCE), 0)
        finally:
            os.close(reading)

    def test_a_closed_standard_output_stops_nothing(self):
        reading, writing = os.pipe()
        kernel = self.start(configuration({"pluginId": "MetricLogger"}, bridge=False), stdout=writing)
        os.close(writing)
        os.close(reading)
        wait_until(lambda: "\tseq=2\n" in self.read("kernel-heartbeats.log"), "heartbeats go on")
        kernel.type("quit")
        self.assertEqual(kernel.process.wait(harness.PATIENCE), 0)

    def test_control_characters_are_escaped_on_a_terminal(self):
        import pty
        self.write("Printer/Printer", "#!/bin/sh\nprintf 'a\\033[2Jb\\tc\\377\\n'\n", 0o755)
        master, slave = pty.openpty()
        kernel = self.start(configuration({"pluginId": "Printer", "autoStart": False}, bridge=False),
                            "--no-console", stdout=slave, stdin=slave)
        os.close(slave)
        kernel.close()
        os.close(master)
        master, slave = pty.openpty()
        kernel = self.start(None, stdout=slave, stdin=slave)
        os.close(slave)
        try:
            os.write(master, b"start Printer\n")
            text = b""
            end = time.monotonic() + harness.PATIENCE
            while b"exited" not in text and time.monotonic() < end:
                text += os.read(master, 4096)
            self.assertIn(rb"[Plugin:Printer] a\x1b[2Jb" + b"\tc" + rb"\xff", text.replace(b"        ", b"\t"))
            os.write(master, b"quit\n")
            self.assertEqual(kernel.process.wait(harness.PATIENCE), 0)
        finally:
            os.close(master)


if __name__ == "__main__":
    harness.main()
