"""One process of the stack: started on a port of its own, killed or ended only by its own id."""

import contextlib
import json
import os
import signal
import subprocess
import time


class StackError(Exception):
    """Something the stack needs did not happen; the message says what and where to look."""


def wait_until(what, condition, seconds=30.0, every=0.02):
    """The first true value of `condition`; StackError naming `what` when the bound passes."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise StackError(f"gave up after {seconds:.0f} s waiting for {what}")
        time.sleep(every)


class Process:
    """Keeps its port over restarts, so that its clients find it again."""

    def __init__(self, name, argv, work_dir, extra_ports=()):
        self.name = name
        self.argv = argv
        self.work_dir = work_dir
        self.log_path = os.path.join(work_dir, f"{name}.log")
        self.port_file = os.path.join(work_dir, f"{name}.ports.json")
        self.ports = None
        self.popen = None
        self.kills = 0

    def start(self):
        if os.path.exists(self.port_file):
            os.remove(self.port_file)
        listen = f"127.0.0.1:{self.ports['grpc'] if self.ports else 0}"
        metrics = f"127.0.0.1:{self.ports['metrics'] if self.ports else 0}"
        argv = self.argv + ["--listen", listen, "--metrics-listen", metrics, "--port-file", self.port_file]
        with open(self.log_path, "ab") as log:
            # A session of its own: an interrupt at the terminal reaches only the script, which then cleans up.
            self.popen = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)

    def set_option(self, name, value):
        """For the next start."""
        if name in self.argv:
            self.argv[self.argv.index(name) + 1] = value
        else:
            self.argv += [name, value]

    def await_serving(self, seconds=60.0):
        def ready():
            if os.path.exists(self.port_file):
                return True
            if self.popen.poll() is not None:
                raise StackError(f"{self.name} ended with status {self.popen.returncode}; see {self.log_path}\n" +
                                 tail(self.log_path))
            return False

        wait_until(f"{self.name} to serve (log: {self.log_path})", ready, seconds)
        with open(self.port_file, encoding="utf-8") as file:
            self.ports = json.load(file)

    @property
    def address(self):
        return f"127.0.0.1:{self.ports['grpc']}"

    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def kill9(self):
        """As a power cut would: nothing is flushed, nobody is told."""
        if self.running():
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()
        self.kills += 1

    @contextlib.contextmanager
    def paused(self):
        """SIGSTOP, then SIGCONT: alive for everybody else, and deaf."""
        self.popen.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.popen.send_signal(signal.SIGCONT)

    def terminate(self, seconds=30.0):
        """SIGTERM, then its exit status. A process that does not end in time is killed, and that is an error."""
        if not self.running():
            return self.popen.returncode if self.popen else 0
        self.popen.terminate()
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired as late:
            self.popen.kill()
            self.popen.wait()
            raise StackError(f"{self.name} did not end within {seconds:.0f} s of SIGTERM") from late


def tail(path, lines=8):
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-lines:])
