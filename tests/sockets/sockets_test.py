"""A real orchestrator with 1,024 descriptors against more connections than that: what is there works on, what is new is
served as soon as there is room, and health and metrics tell what is the matter."""

import os
import resource
import socket
import subprocess
import sys
import unittest
import urllib.request

import grpc

from stack.processes import wait_until
from stack.scenarios import BOOK_TICKET
from stack.services import struct
from stack.stack import Stack

BUILD_DIR = os.path.abspath(sys.argv.pop()) if len(sys.argv) > 1 else ""
LIMIT = 1024
CONNECTIONS = 1224
HEALTH = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def connect(port, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))


def ended(connection):
    """Whether the server has closed it. gRPC's server speaks first."""
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


class SocketsTest(unittest.TestCase):
    def setUp(self):
        ours = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (ours[1], ours[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, ours)
        self.stack = Stack(BUILD_DIR, orchestrator_args=["--health-listen", "127.0.0.1:0", "--drain-delay", "2s"])
        self.process = self.stack.processes["orchestrator"]
        # The limit is there before the program starts, and it cannot raise it.
        self.process.argv[:0] = ["prlimit", f"--nofile={LIMIT}:{LIMIT}"]
        self.stack.__enter__()
        self.addCleanup(self.stack.__exit__, None, None, None)
        self.connections = []
        self.addCleanup(self.close_all)
        self.stack.apply_definition(BOOK_TICKET.path)
        self.sagas = self.stack.sagas(timeout=30)

    def close_all(self):
        for connection in self.connections:
            connection.close()
        self.connections = []

    def fill(self, sources):
        self.connections = [connect(self.process.ports["grpc"], sources[i % len(sources)]) for i in range(CONNECTIONS)]

    def metrics(self):
        url = f"http://127.0.0.1:{self.process.ports['metrics']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")

    def metric(self, name):
        return float(self.metrics()[name])

    def health(self, channel):
        return channel.unary_unary(HEALTH)(b"", timeout=10)

    def new_channel(self, port="grpc"):
        channel = grpc.insecure_channel(f"127.0.0.1:{self.process.ports[port]}",
                                        options=[("grpc.use_local_subchannel_pool", 1)])
        self.addCleanup(channel.close)
        return channel

    def start_a_saga(self, saga):
        """Over the connection that is there; nobody of this name has a wallet."""
        self.sagas.StartSaga(saga_id=saga, definition=BOOK_TICKET.definition, input=struct(BOOK_TICKET.input("u", {})))
        wait_until(f"{saga} to end", lambda: self.sagas.GetSaga(saga_id=saga).saga.state in (2, 4), 30)

    def logged(self, text):
        with open(self.process.log_path, encoding="utf-8") as file:
            return text in file.read()

    def test_many_peers_take_what_there_is_and_no_more(self):
        self.fill([f"127.0.0.{i}" for i in range(2, 12)])
        wait_until("the rest to be refused",
                   lambda: self.metric('tutti_api_connections_refused_total{bound="descriptors"}') > CONNECTIONS / 4)
        # Scrapes and probes find a descriptor.
        self.assertEqual(self.metric("tutti_api_listening"), 0)
        self.assertLess(self.metric("process_open_fds"), LIMIT * 0.8)
        self.assertEqual(self.health(self.new_channel("health")), SERVING)
        self.start_a_saga("beside-many")
        self.close_all()
        wait_until("room", lambda: self.metric("tutti_api_listening") == 1)
        self.assertEqual(self.health(self.new_channel()), SERVING)
        self.assertTrue(self.logged("connections are refused"))
        self.assertIsNone(self.process.popen.poll())

    def test_one_peer_leaves_room_for_others_and_silence_ends(self):
        self.fill(["127.0.0.2"])
        wait_until("the rest to be refused",
                   lambda: self.metric('tutti_api_connections_refused_total{bound="peer"}') >= CONNECTIONS / 2)
        self.assertEqual(self.metric("tutti_api_listening"), 1)
        self.assertEqual(self.health(self.new_channel()), SERVING)
        self.start_a_saga("beside-one")
        wait_until("silent connections to be closed", lambda: all(map(ended, self.connections)), 60, every=0.5)
        wait_until("their descriptors", lambda: self.metric("tutti_api_connections") < 10, 30)

    def test_a_deaf_api_says_so_and_hears_again(self):
        api, probe = self.new_channel(), self.new_channel("health")
        self.assertEqual(self.health(api), SERVING)
        self.assertEqual(self.health(probe), SERVING)
        pid = self.process.popen.pid
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (10, LIMIT))  # fewer than are open
        self.connections = [connect(self.process.ports["grpc"])]
        wait_until("health to tell the truth", lambda: self.health(probe) == NOT_SERVING, 60, every=0.2)
        self.assertEqual(self.health(api), NOT_SERVING)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        wait_until("health to recover", lambda: self.health(probe) == SERVING, 30, every=0.1)
        self.assertEqual(self.health(self.new_channel()), SERVING)
        self.assertEqual(self.metric("tutti_api_listening"), 1)
        for text in ("connections cannot be accepted", "health says NOT_SERVING", "accepts connections again"):
            self.assertTrue(self.logged(text), text)

    def test_a_drain_is_watched_to_its_end(self):
        probe = self.new_channel("health")
        silent = connect(self.process.ports["metrics"])
        self.connections = [silent]
        self.process.popen.terminate()
        wait_until("the drain", lambda: self.health(probe) == NOT_SERVING)
        self.assertEqual(self.metric("tutti_ready"), 0)
        self.assertEqual(self.health(self.new_channel()), NOT_SERVING, "whoever comes now is told")
        self.assertEqual(self.process.popen.wait(30), 0)
        self.assertTrue(ended(silent))

    def test_a_port_that_is_taken_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            for option in ("--listen", "--health-listen", "--metrics-listen"):
                options = {"--data-dir": os.path.join(self.stack.work_dir, "second"),
                           "--participants": self.stack.participants_file, "--listen": "127.0.0.1:0", option: address}
                done = subprocess.run([self.stack.binary("tutti-orchestrator"), *sum(options.items(), ())],
                                      capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(f"cannot listen on {address}: Address already in use", done.stderr)


if __name__ == "__main__":
    unittest.main()
