"""Stands between the orchestrator and its participants and makes the network misbehave, on loopback only.

As a process of its own it reads one JSON command a line from standard input and answers each with a line. Without its
standard input it ends. The class Proxy starts it and speaks to it.
"""

import asyncio
import json
import subprocess
import sys
import threading

PASS = "pass"
DELAY = "delay"          # every piece, both ways, waits delay_ms
STALL = "stall"          # nothing moves; on the next change what was held goes on
BLACK_HOLE = "black-hole"  # everything is swallowed; on the next change the connections are cut
MUTE = "mute"            # as a black hole, but only for what participants answer
CUT = "cut"              # connections are reset and new ones too
MODES = (PASS, DELAY, STALL, BLACK_HOLE, MUTE, CUT)
PIECE_BYTES = 64 * 1024


class Route:
    """One listening port in front of one participant."""

    def __init__(self, target):
        self.target = target
        self.mode = PASS
        self.delay = 0.0
        self.changed = asyncio.Event()
        self.writers = set()
        self.spoiled = set()  # connections that lost bytes: nothing sensible can follow

    def set(self, mode, delay):
        self.mode, self.delay = mode, delay
        self.changed.set()
        self.changed = asyncio.Event()
        for writer in list(self.writers if mode == CUT else self.spoiled):
            writer.transport.abort()

    async def serve(self, reader, writer):
        mates = (writer,)
        try:
            self.writers.add(writer)
            if self.mode == CUT:
                return
            host, port = self.target.rsplit(":", 1)
            onward_reader, onward_writer = await asyncio.open_connection(host, int(port))
            mates = (writer, onward_writer)
            self.writers.add(onward_writer)
            await asyncio.gather(self.pump(reader, onward_writer, mates, answers=False),
                                 self.pump(onward_reader, writer, mates, answers=True))
        except OSError:
            pass  # either side went away, which is what the other side is now told
        finally:
            for mate in mates:
                mate.transport.abort()
                self.writers.discard(mate)
                self.spoiled.discard(mate)

    async def pump(self, reader, writer, mates, answers):
        while True:
            piece = await reader.read(PIECE_BYTES)
            if not piece:
                break
            if self.mode == DELAY:
                await asyncio.sleep(self.delay)
            while self.mode == STALL:
                await self.changed.wait()
            if self.mode == BLACK_HOLE or (self.mode == MUTE and answers):
                self.spoiled.update(mates)
                continue
            writer.write(piece)
            await writer.drain()
        if not writer.transport.is_closing():
            writer.write_eof()


async def main():
    targets = json.loads(sys.argv[1])
    routes = {name: Route(target) for name, target in targets.items()}
    servers = [await asyncio.start_server(route.serve, "127.0.0.1", 0) for route in routes.values()]
    ports = {name: server.sockets[0].getsockname()[1] for name, server in zip(routes, servers)}
    print(json.dumps(ports), flush=True)
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        command = json.loads(line)
        routes[command["route"]].set(command["mode"], command["delay_ms"] / 1000)
        print("ok", flush=True)


class Proxy:
    """with Proxy({"payment": "127.0.0.1:7601"}) as proxy: … Thread-safe."""

    def __init__(self, targets):
        self.lock = threading.Lock()
        self.counts = {mode: 0 for mode in MODES if mode != PASS}
        self.popen = subprocess.Popen([sys.executable, __file__, json.dumps(targets)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.ports = json.loads(self.popen.stdout.readline())

    def address(self, route):
        return f"127.0.0.1:{self.ports[route]}"

    def set(self, route, mode, delay_ms=0):
        with self.lock:
            if mode != PASS:
                self.counts[mode] += 1
            self.popen.stdin.write(json.dumps({"route": route, "mode": mode, "delay_ms": delay_ms}) + "\n")
            self.popen.stdin.flush()
            if self.popen.stdout.readline() != "ok\n":
                raise RuntimeError("the fault proxy is gone")

    def close(self):
        self.popen.kill()  # its standard input may be busy; nothing is lost with it
        self.popen.wait()


if __name__ == "__main__":
    asyncio.run(main())
