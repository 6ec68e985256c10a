"""From a configuration to running plugins, and to the end without a trace."""

import os
import signal
import socket
import subprocess
import time

import harness
from harness import KernelTest, children_of, configuration, is_alive, wait_until

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class Startup(KernelTest):
    def test_the_shipped_configuration_runs_and_quits(self):
        """Section 5, 1: three connected plugins, metric lines within 10 s, exit code 0, no process left."""
        with open(os.path.join(SOURCE, "kernel", "kernelconfig.json"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn('"port": 9000', text)
        kernel = self.start(text.replace("9000", "0"))
        kernel.port()
        self.wait_metrics(lambda text: text.count("\n") >= 2, "two metric lines")
        rows = kernel.list()
        self.assertEqual(set(rows), {"MetricLogger", "EventSimulator", "Bridge"})
        self.assertTrue(all(connected and state == "" for connected, _, state in rows.values()), rows)
        log = self.read("kernel-heartbeats.log")
        self.assertRegex(log, r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z\tMetricLogger\tseq=\d+$")
        self.assertEqual(kernel.quit(), 0)
        self.assertIn("Stopping kernel...", kernel.lines)
        self.assertFalse(any(is_alive(pid) for pid in kernel.pids))

    def test_the_parent_systems_configuration_alone_in_a_folder(self):
        """Section 5, 6: unchanged but for the port, which another test may hold."""
        kernel = self.start(
            '{ "host": "127.0.0.1", "port": 0, "plugins": [\n'
            '  { "pluginId": "MetricLogger", "workingDirectory": "IKT300.Plugin.MetricLogger", "autoStart": true },\n'
            '  { "pluginId": "EventSimulator", "workingDirectory": "IKT300.Plugin.EventSimulator", "autoStart": false } ] }')
        kernel.wait_connected("MetricLogger")
        self.assertEqual(kernel.list()["EventSimulator"], (False, None, "(stopped)"))
        kernel.type("start EventSimulator --count 2 --interval 1")
        kernel.wait_line(r"^\[Plugin:EventSimulator\] Finished sending simulated events\.$")
        kernel.wait_line(r"^Plugin EventSimulator exited with code 0; it is stopped\.$")
        text = self.wait_metrics(lambda text: text.count("\n") >= 2, "two metric lines",
                                 "IKT300.Plugin.MetricLogger/metrics/metrics.log")
        self.assertEqual(text.count("\n"), 2)
        self.assertEqual(kernel.list()["EventSimulator"][0:2], (False, None))
        self.assertEqual(kernel.quit(), 0)

    def test_sigterm_and_sigint_end_it_gracefully(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            kernel = self.start(configuration({"pluginId": "MetricLogger"}))
            kernel.wait_connected("MetricLogger")
            kernel.process.send_signal(number)
            self.assertEqual(kernel.wait_exit(), 0)
            self.assertIn("Plugin MetricLogger exited with code 0; it is stopped.", kernel.lines)
            self.assertIn("Plugin Bridge exited with code 0; it is stopped.", kernel.lines)

    def test_a_plugin_that_does_not_want_to_end_is_killed(self):
        self.write("stubborn/stubborn", "#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 1; done\n", 0o755)
        kernel = self.start(configuration({"pluginId": "stubborn"}, bridge=False, stopTimeoutMs=200,
                                          terminateTimeoutMs=200))
        kernel.wait_line(r"^\[Plugin:stubborn\] ready$")
        self.assertEqual(kernel.quit(), 0)
        self.assertIn("Plugin stubborn was ended by signal 9 (Killed); it is stopped.", kernel.lines)

    def test_no_plugin_outlives_a_killed_kernel(self):
        """Stopped ones neither, and not for more than 2 s."""
        kernel = self.start(configuration({"pluginId": "MetricLogger"}, {"pluginId": "EventSimulator"}))
        for plugin in ("MetricLogger", "EventSimulator", "Bridge"):
            kernel.wait_connected(plugin)
        pids = children_of(kernel.process.pid)
        self.assertEqual(len(pids), 3)
        os.kill(kernel.list()["MetricLogger"][1], signal.SIGSTOP)
        kernel.process.kill()
        kernel.process.wait()
        killed = time.monotonic()
        wait_until(lambda: not any(is_alive(pid) for pid in pids), "the plugins gone")
        self.assertLess(time.monotonic() - killed, 10.0 if harness.is_sanitized() else 2.0)

    def test_end_of_input_leaves_it_running(self):
        kernel = self.start(configuration({"pluginId": "MetricLogger"}, bridge=False))
        kernel.process.stdin.close()
        kernel.wait_line("^Plugin MetricLogger connected")
        wait_until(lambda: "\tseq=2\n" in self.read("kernel-heartbeats.log"), "a second heartbeat")
        kernel.process.terminate()
        self.assertEqual(kernel.wait_exit(), 0)

    def test_commands_from_a_file(self):
        path = self.write("commands", "list\nquit")
        with open(path, "rb") as commands:
            kernel = self.start(configuration(bridge=False), stdin=commands)
        self.assertEqual(kernel.wait_exit(), 0)
        self.assertIn("No plugins.", kernel.lines)

    def test_no_console_reads_nothing(self):
        kernel = self.start(configuration({"pluginId": "MetricLogger"}, bridge=False), "--no-console")
        kernel.type("quit")
        kernel.wait_line("^Plugin MetricLogger connected")
        wait_until(lambda: "\tseq=2\n" in self.read("kernel-heartbeats.log"), "a second heartbeat")
        self.assertIsNone(kernel.process.poll())

    def test_standard_descriptors_may_be_closed(self):
        command = f'exec "{harness.KERNEL}" <&- >&- 2>&-'
        kernel = self.start(configuration({"pluginId": "MetricLogger"}, bridge=False), stdin=None, stdout=None)
        kernel.close()
        process = subprocess.Popen(["sh", "-c", command], cwd=self.folder)
        try:
            wait_until(lambda: "\tseq=2\n" in self.read("kernel-heartbeats.log"), "a second heartbeat")
            process.terminate()
            self.assertEqual(process.wait(harness.PATIENCE), 0)
        finally:
            process.kill()
            process.wait()


class Mistakes(KernelTest):
    def run_kernel(self, *arguments, text=None):
        if text is not None:
            self.write("kernelconfig.json", text)
        return subprocess.run([harness.KERNEL, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=harness.PATIENCE, check=False)

    def test_one_line_names_file_line_and_key(self):
        cases = [
            ('{\n "port": 70000 }', ":2: port must be between 0 and 65535, not 70000"),
            ('{\n "port": "9000" }', ":2: port must be a whole number"),
            ('{\n "plugins": [\n  { "pluginId": "A" },\n  { "pluginId": "a" } ] }',
             ':4: plugins[1].pluginId "a" is also the id of plugins[0]'),
            ('{\n "plugins": [\n  { "pluginId": "A",\n    "AutoStart": 1 } ] }',
             ":4: plugins[0].AutoStart must be true or false"),
            ('{ "plugins": [\n {\n "autoStart": true } ] }', ":2: plugins[0] has no pluginId"),
            ('{ "port": 1,\n "host" }', ":2: "),
        ]
        for text, end in cases:
            with self.subTest(text=text):
                result = self.run_kernel(text=text)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stdout, "")
                self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
                self.assertIn(os.path.join(self.folder, "kernelconfig.json") + end, result.stderr)

    def test_no_configuration(self):
        result = self.run_kernel("--config", os.path.join(self.folder, "nothing.json"))
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn("nothing.json", result.stderr)

    def test_help_and_version(self):
        self.assertEqual(self.run_kernel("--version").returncode, 0)
        result = self.run_kernel("--help")
        self.assertEqual(result.returncode, 0)
        for option in ("--config", "--no-console", "--plugin-dir"):
            self.assertIn(option, result.stdout)
        self.assertEqual(self.run_kernel("--nonsense").returncode, 2)

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            kernel = self.start({"port": port, "plugins": [{"pluginId": "MetricLogger"}]})
            self.assertEqual(kernel.wait_exit(), 2)
        self.assertEqual(len([line for line in kernel.lines if str(port) in line]), 1, kernel.text)
        self.assertNotIn("Plugin MetricLogger connected", kernel.text)


if __name__ == "__main__":
    harness.main()
