"""Every command and every line of the console."""


import harness
from harness import KernelTest, configuration, wait_until


class Console(KernelTest):
    def setUp(self):
        super().setUp()
        self.write("Resting/Resting", "#!/bin/sh\necho args: \"$@\"\necho and more >&2\nexit 3\n", 0o755)
        self.kernel = self.start(configuration({"pluginId": "MetricLogger"}, {"pluginId": "Resting", "autoStart": False},
                                               bridge=False))
        self.kernel.wait_connected("MetricLogger")

    def say(self, command, *patterns):
        after = len(self.kernel.lines)
        self.kernel.type(command)
        for pattern in patterns:
            self.kernel.wait_line(pattern, after)

    def test_list(self):
        self.say("LIST", r"^MetricLogger connected=True lastseen=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z pid=\d+$",
                 r"^Resting connected=False lastseen=never pid=- \(stopped\)$")

    def test_unknown_words(self):
        self.say("foo", r"^Unknown command 'foo'\. Type 'help' for available commands\.$")
        self.say("metricLOGGER", r"^Plugin 'MetricLogger' is known\. Use 'start MetricLogger' to run it or "
                                 r"'help MetricLogger' for options\.$")
        self.say("kill foo", r"^Unknown plugin 'foo'\. Known plugins: MetricLogger, Resting$")
        self.say("start foo", r"^Unknown plugin 'foo'\. Known plugins: MetricLogger, Resting$")
        self.say("start", r"^Usage: start <pluginId> \[extra args\]$")
        self.say("kill", r"^Usage: kill <pluginId>$")
        self.say("", )
        self.say("  \t ", )
        self.say("?", r"^Available commands:$")
        self.say("help", r"^Available commands:$")

    def test_start(self):
        self.say("start metriclogger", r"^Plugin MetricLogger is already running \(pid=\d+\)\. Use kill <pluginId> to "
                                       r"restart\.$")
        self.say("start resting one 'two three'",
                 r"^\[Plugin:Resting\] args: --kernelHost 127\.0\.0\.1 --kernelPort 0 --pluginId Resting "
                 rf"--exitAfterSeconds 0 --config {self.folder}/kernelconfig\.json one two three$",
                 r"^\[Plugin:Resting ERR\] and more$",
                 r"^Plugin Resting exited with code 3; it is stopped\.$")
        self.say("kill resting", r"^Plugin Resting is not running\.$")

    def test_kill_restarts_what_starts_by_itself(self):
        pid = self.kernel.wait_connected("MetricLogger")
        self.say("kill metriclogger", r"^Killing plugin MetricLogger$")
        self.assertNotEqual(self.kernel.wait_connected("MetricLogger", other_than=pid), pid)

    def test_extra_arguments_are_for_once(self):
        self.write("Once/Once", "#!/bin/sh\necho \"$@\"\nexec sleep 600\n", 0o755)
        kernel = self.start(configuration({"pluginId": "Once", "enabled": False}, bridge=False, restartDelayMs=10))
        kernel.wait_line("^Kernel running")
        kernel.type("start Once --extra")
        after = kernel.wait_line(r"kernelconfig\.json --extra$")[1]
        kernel.type("kill Once")
        kernel.wait_line(r"kernelconfig\.json$", after)

    def test_help_of_a_plugin(self):
        for command in ("help resting", "resting --help", "RESTING -h", "Resting help"):
            self.say(command, r"^\[Plugin:Resting help\] args: --help$", r"^\[Plugin:Resting help\] and more$",
                     r"^Plugin Resting help exited with code 3\.$")
        self.say("help resting some words", r"^\[Plugin:Resting help\] args: some words$")
        self.say("help foo", r"^Unknown plugin 'foo'\.")
        self.say("foo --help", r"^Unknown command 'foo'\.")

    def test_a_help_that_does_not_end_keeps_nobody_waiting(self):
        self.write("Slow/Slow", "#!/bin/sh\nexec sleep 600\n", 0o755)
        kernel = self.start(configuration({"pluginId": "Slow", "autoStart": False}, bridge=False, helpTimeoutMs=300))
        kernel.wait_line("^Kernel running")
        kernel.type("help Slow")
        kernel.list()
        kernel.wait_line(r"^Plugin Slow help takes too long; it is killed\.$")
        kernel.wait_line(r"^Plugin Slow help exited with code 137\.$")

    def test_quit_has_three_names(self):
        for word in ("exit", "QUIT", "Shutdown"):
            kernel = self.start(configuration(bridge=False))
            kernel.type(word)
            self.assertEqual(kernel.wait_exit(), 0)
            self.assertIn("Stopping kernel...", kernel.lines)

    def test_killing_a_client_closes_its_connection(self):
        kernel = self.start(configuration())
        client = self.client(kernel, "Outside")
        client.handshake()
        kernel.type("kill OUTSIDE")
        kernel.wait_line("^Killing plugin Outside$")
        wait_until(lambda: client.ended, "the connection closed")
        wait_until(lambda: "Outside" not in kernel.list(), "its row gone")


if __name__ == "__main__":
    harness.main()
