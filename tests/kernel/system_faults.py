"""What dies comes back, what was promised is kept, and nobody else notices."""

import collections
import os
import re
import signal
import threading
import time

import harness
from harness import KernelTest, configuration, is_alive, wait_until

TCP_PLUGIN = '''
import json, os, socket, sys, threading, time, uuid
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
identifier = options["--pluginId"]
while True:
    try:
        connection = socket.create_connection((options["--kernelHost"], int(options["--kernelPort"])))
        break
    except OSError:
        time.sleep(0.05)
def send(kind, payload, sequence):
    connection.sendall((json.dumps({
        "Header": {"MessageType": kind, "MessageId": str(uuid.uuid4()), "Timestamp": "2025-12-02T10:35:00Z",
                   "CorrelationId": None},
        "Metadata": {"PluginId": identifier, "Sender": None, "Sequence": sequence},
        "Payload": payload}) + "\\n").encode())
def beat():
    sequence = 0
    while True:
        sequence += 1
        try:
            send("Heartbeat", {"Timestamp": "2025-12-02T10:35:00Z"}, sequence)
        except OSError:
            return
        time.sleep(0.5)
send("Handshake", {"Name": identifier, "Version": "0.1"}, 0)
threading.Thread(target=beat, daemon=True).start()
def listen():
    for line in connection.makefile("r", encoding="utf-8"):
        message = json.loads(line)
        if message["Header"]["MessageType"] == "CommandRequest":
            print("heard", message["Metadata"]["Sender"], message["Payload"].get("Username"), flush=True)
        elif message["Header"]["MessageType"] == "CommandResponse":
            print("welcome", flush=True)
try:
    listen()
except OSError:
    pass
'''

# A plugin that outlives its connection makes a new one, in the same process.
RECONNECT = '''
os.execv(sys.executable, [sys.executable] + sys.argv)
'''


class Faults(KernelTest):
    def test_a_killed_logger_comes_back(self):
        """Section 5, 3: kill -9."""
        kernel = self.start(configuration({"pluginId": "MetricLogger"},
                                          {"pluginId": "EventSimulator", "arguments": ["--interval", "0.2"]}))
        first = kernel.wait_connected("MetricLogger")
        others = {plugin: kernel.wait_connected(plugin) for plugin in ("EventSimulator", "Bridge")}
        self.wait_metrics(lambda text: "\n" in text, "a metric line")
        os.kill(first, signal.SIGKILL)
        kernel.wait_connected("MetricLogger", other_than=first)
        lines = self.read("MetricLogger/metrics/metrics.log").count("\n")
        self.wait_metrics(lambda text: text.count("\n") >= lines + 3, "three more metric lines")
        self.assertEqual({plugin: kernel.list()[plugin][1] for plugin in others}, others)
        self.assertIn("Plugin MetricLogger was ended by signal 9 (Killed); restarting it in 100 ms.", kernel.lines)
        self.assertEqual(kernel.quit(), 0)

    def test_a_stopped_logger_is_replaced(self):
        """Section 5, 3: kill -STOP."""
        kernel = self.start(configuration({"pluginId": "MetricLogger", "heartbeatTimeoutMs": 2000,
                                           "heartbeatIntervalMs": 300},
                                          {"pluginId": "EventSimulator", "arguments": ["--interval", "0.2"]}))
        first = kernel.wait_connected("MetricLogger")
        others = {plugin: kernel.wait_connected(plugin) for plugin in ("EventSimulator", "Bridge")}
        os.kill(first, signal.SIGSTOP)
        kernel.wait_connected("MetricLogger", other_than=first)
        wait_until(lambda: not is_alive(first), "the stopped one gone")
        lines = self.read("MetricLogger/metrics/metrics.log").count("\n")
        self.wait_metrics(lambda text: text.count("\n") >= lines + 3, "three more metric lines")
        self.assertEqual({plugin: kernel.list()[plugin][1] for plugin in others}, others)
        self.assertEqual(kernel.quit(), 0)

    def test_acknowledged_events_are_in_the_log(self):
        """Section 5, 3: every acknowledged one at least once; twice only around a death."""
        kernel = self.start(configuration({"pluginId": "MetricLogger", "heartbeatTimeoutMs": 2000,
                                           "heartbeatIntervalMs": 300, "healthyMs": 1}))
        pid = kernel.wait_connected("MetricLogger")
        client = self.client(kernel, "Publisher")
        client.handshake()
        sent, ending = {}, threading.Event()

        def publish():
            number = 0
            while not ending.is_set():
                number += 1
                sent[client.login(number, ack=True)] = number
                time.sleep(0.002)

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL):
                time.sleep(0.5)
                os.kill(pid, number)
                pid = kernel.wait_connected("MetricLogger", other_than=pid)
        finally:
            ending.set()
            publisher.join()

        def answers():
            return {message["Header"]["CorrelationId"]: message["Payload"] for message in list(client.received)
                    if message["Header"]["CorrelationId"] in sent}

        wait_until(lambda: len(answers()) == len(sent), "an answer to each event")
        done = {sent[message] for message, payload in answers().items() if payload.get("OK")}
        logged = collections.Counter(int(user) for user in re.findall(
            r"\tUserId=(\d+)\t", self.read("MetricLogger/metrics/metrics.log")))
        self.assertGreater(len(done), len(sent) // 2)
        self.assertEqual(sorted(done - set(logged)), [])
        twice = [user for user, count in logged.items() if count > 1]
        self.assertLessEqual(max(logged.values()), 2)
        self.assertLessEqual(len(twice), 4 * 64, "more than what the logger had read when it died")
        # One connection's heartbeat keeps no promise of order with its events' answers, but each event has one answer.
        counts = collections.Counter(message["Header"]["CorrelationId"] for message in client.received)
        self.assertEqual(max(counts[message] for message in sent), 1)
        self.assertEqual(kernel.quit(), 0)

    def test_an_acknowledgement_that_never_comes_is_an_error(self):
        kernel = self.start(configuration({"pluginId": "MetricLogger", "autoStart": False}, ackTimeoutMs=2000))
        kernel.port()
        kernel.type("start MetricLogger")
        pid = kernel.wait_connected("MetricLogger")
        client = self.client(kernel, "Publisher")
        client.handshake()
        os.kill(pid, signal.SIGSTOP)
        answer = client.wait_answer(client.login(1, ack=True))
        self.assertEqual((answer["Header"]["MessageType"], answer["Payload"]["Code"]), ("Error", "Timeout"))
        witness = self.client(kernel, "Witness")
        witness.handshake()
        message = client.login(2, ack=True)
        witness.wait(lambda m: m["Header"]["MessageId"] == message, "the event, so it is on its way")
        os.kill(pid, signal.SIGKILL)
        answer = client.wait_answer(message)
        self.assertEqual((answer["Header"]["MessageType"], answer["Payload"]["Code"]), ("Error", "EventsLost"))
        answer = client.wait_answer(client.login(3, ack=True))
        self.assertTrue(answer["Payload"]["OK"], "nobody durable is left, so nobody is waited for")

    def test_a_plugin_that_knows_only_tcp(self):
        """Section 5, 4: started by command, listed, killed, restarted, and hears events."""
        self.write("Listener/plugin.py", TCP_PLUGIN)
        kernel = self.start(configuration({"pluginId": "Listener", "command": ["python3", "plugin.py"]}))
        first = kernel.wait_connected("Listener")
        client = self.client(kernel, "Publisher")
        client.handshake()
        client.login(1)
        after = kernel.wait_line(r"^\[Plugin:Listener\] heard Publisher user1$")[1]
        os.kill(first, signal.SIGKILL)
        kernel.wait_connected("Listener", other_than=first)
        kernel.wait_line(r"^\[Plugin:Listener\] welcome$", after)
        client.login(2)
        kernel.wait_line(r"^\[Plugin:Listener\] heard Publisher user2$")
        self.assertEqual(kernel.quit(), 0)

    def test_a_configured_plugin_has_one_face(self):
        kernel = self.start(configuration({"pluginId": "MetricLogger"}))
        kernel.wait_connected("MetricLogger")
        client = self.client(kernel, "metriclogger")
        message = client.send("Handshake", {"Name": "Impostor", "Version": "1"})
        answer = client.wait(lambda m: m["Header"]["MessageType"] == "Error", "an error")
        self.assertEqual(answer["Payload"]["Code"], "IdInUse")
        self.assertEqual(answer["Header"]["CorrelationId"], message)

    def test_nobody_takes_the_id_of_a_plugin_that_is_being_restarted(self):
        logger = os.path.join(os.path.dirname(harness.KERNEL), "MetricLogger")
        program = self.write("slow", f"#!/bin/sh\n[ -e '{self.folder}/again' ] && sleep 2\n"
                                     f"touch '{self.folder}/again'\nexec '{logger}' \"$@\"\n", 0o755)
        kernel = self.start(configuration({"pluginId": "MetricLogger", "command": [program], "restartDelayMs": 2000}))
        pid = kernel.wait_connected("MetricLogger")
        publisher = self.client(kernel, "Publisher")
        publisher.handshake()
        os.kill(pid, signal.SIGKILL)
        for state in ("(waiting)", "(starting)"):
            wait_until(lambda: kernel.list()["MetricLogger"][2] == state, state)
            thief = self.client(kernel, "metriclogger")
            answer = thief.wait_answer(thief.send("Handshake", {"Name": "Thief", "Version": "1"}))
            self.assertEqual((answer["Header"]["MessageType"], answer["Payload"]["Code"]), ("Error", "IdInUse"))
            message = publisher.login(7, ack=True)
        self.assertTrue(publisher.wait_answer(message)["Payload"].get("OK"))
        self.assertEqual(self.read("MetricLogger/metrics/metrics.log").count("\tUserId=7\t"), 2)
        kernel.wait_connected("MetricLogger", other_than=pid)

    def test_who_closes_its_connection_and_lives_on_is_reported(self):
        """Once, and left alone: it is not the kernel's to replace."""
        self.write("Closer/plugin.py", TCP_PLUGIN + "\nprint('closed', flush=True)\ntime.sleep(600)\n")
        kernel = self.start(configuration({"pluginId": "Closer", "command": ["python3", "plugin.py"],
                                           "autoStart": False, "heartbeatTimeoutMs": 2000}))
        kernel.port()
        kernel.type("start Closer")
        pid = kernel.wait_connected("Closer")
        bridge = kernel.wait_connected("Bridge")
        os.kill(bridge, signal.SIGKILL)
        kernel.wait_line(r"^\[Plugin:Closer\] closed$")
        kernel.wait_line(r"^Plugin Closer missed its heartbeat\.$")
        time.sleep(2.5)
        self.assertEqual(kernel.text.count("Plugin Closer missed its heartbeat."), 1)
        self.assertEqual(kernel.list()["Closer"][:2], (False, pid))

    def test_a_kernel_that_stood_still_kills_nobody(self):
        kernel = self.start(configuration({"pluginId": "MetricLogger"}, {"pluginId": "EventSimulator"},
                                          heartbeatTimeoutMs=1500, heartbeatIntervalMs=200))
        before = {plugin: kernel.wait_connected(plugin) for plugin in ("MetricLogger", "EventSimulator", "Bridge")}
        os.kill(kernel.process.pid, signal.SIGSTOP)
        for pid in before.values(): # Even when they have nothing to say meanwhile.
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(kernel.process.pid, signal.SIGCONT)
        time.sleep(0.2)
        for pid in before.values():
            os.kill(pid, signal.SIGCONT)
        time.sleep(2)
        self.assertEqual({plugin: kernel.list()[plugin][1] for plugin in before}, before)
        self.assertEqual(kernel.quit(), 0)

    def test_a_silent_client_is_shown_and_left_alone(self):
        kernel = self.start(configuration(heartbeatTimeoutMs=2000))
        client = self.client(kernel, "Quiet")
        client.handshake()
        wait_until(lambda: kernel.list()["Quiet"] == (True, None, "(silent)"), "Quiet is silent")
        client.send("Heartbeat", {"Timestamp": "2025-12-02T10:35:00Z"})
        wait_until(lambda: kernel.list()["Quiet"] == (True, None, ""), "Quiet is heard")
        client.close()
        wait_until(lambda: "Quiet" not in kernel.list(), "its row gone")
        again = self.client(kernel, "quiet")
        again.handshake()
        self.assertIn("quiet", kernel.list())

    def test_a_killed_bridge_comes_back_on_its_port(self):
        kernel = self.start(configuration({"pluginId": "MetricLogger"}))
        first = kernel.wait_connected("Bridge")
        logger = kernel.wait_connected("MetricLogger")
        client = self.client(kernel, "Outside")
        client.handshake()
        os.kill(first, signal.SIGKILL)
        kernel.wait_connected("Bridge", other_than=first)
        wait_until(lambda: "Outside" not in kernel.list(), "its client's row gone")
        again = self.client(kernel, "Outside")
        again.handshake()
        self.assertEqual(kernel.list()["MetricLogger"][1], logger)

    def test_a_stopped_bridge_is_replaced_alone(self):
        """Plugins that come over TCP cannot be heard meanwhile, and are not blamed for it."""
        self.write("Listener/plugin.py", TCP_PLUGIN + RECONNECT)
        kernel = self.start(configuration({"pluginId": "Listener", "command": ["python3", "plugin.py"]},
                                          {"pluginId": "MetricLogger"}, heartbeatTimeoutMs=2000))
        bridge, listener, logger = (kernel.wait_connected(name) for name in ("Bridge", "Listener", "MetricLogger"))
        os.kill(bridge, signal.SIGSTOP)
        kernel.wait_connected("Bridge", other_than=bridge)
        self.assertEqual(kernel.wait_connected("Listener"), listener, kernel.text)
        self.assertEqual(kernel.wait_connected("MetricLogger"), logger)

    def test_a_plugin_that_always_fails_is_given_up(self):
        self.write("Broken/Broken", "#!/bin/sh\nexit 7\n", 0o755)
        kernel = self.start(configuration({"pluginId": "Broken"}, bridge=False, restartDelayMs=10,
                                          restartDelayMaxMs=20, restartLimit=3))
        kernel.wait_line(r"^Plugin Broken exited with code 7\. It has FAILED 4 times in a row and is given up; "
                         r"'start Broken' tries again\.$")
        pauses = re.findall(r"restarting it in (\d+) ms", kernel.text)
        self.assertEqual(pauses, ["10", "20", "20"])
        self.assertEqual(kernel.list()["Broken"], (False, None, "(failed)"))
        self.write("Broken/Broken", "#!/bin/sh\nexit 0\n", 0o755)
        kernel.type("start broken")
        kernel.wait_line("^Plugin Broken exited with code 0; restarting")

    def test_good_health_forgets_failures(self):
        self.write("Mortal/Mortal", f"#!/bin/sh\nexec '{harness.PLUGIN}' --mode live \"$@\"\n", 0o755)
        kernel = self.start(configuration({"pluginId": "Mortal"}, bridge=False, restartDelayMs=10, healthyMs=300,
                                          restartLimit=2))
        pid, after = None, 0
        for _ in range(5):
            pid = kernel.wait_connected("Mortal", other_than=pid)
            time.sleep(0.5)
            os.kill(pid, signal.SIGKILL)
            after = kernel.wait_line(r"^Plugin Mortal was ended by signal 9 \(Killed\); restarting it in 10 ms\.$",
                                     after)[1]
        kernel.wait_connected("Mortal", other_than=pid)

    def test_a_start_has_its_own_deadline(self):
        self.write("Mute/Mute", "#!/bin/sh\nexec sleep 600\n", 0o755)
        kernel = self.start(configuration({"pluginId": "Mute", "autoStart": False}, bridge=False, startTimeoutMs=300))
        kernel.type("start Mute")
        kernel.wait_line("^Plugin Mute has not connected within 300 ms; it is killed")
        kernel.wait_line("^Plugin Mute was ended by signal 9")

    def test_a_program_that_is_not_there(self):
        kernel = self.start(configuration({"pluginId": "Nowhere"}, bridge=False))
        kernel.wait_line("^Plugin Nowhere cannot be started: there is no program named like it in ")
        kernel.wait_line("^Plugin Nowhere has FAILED")
        self.assertEqual(kernel.list()["Nowhere"], (False, None, "(failed)"))


if __name__ == "__main__":
    harness.main()
