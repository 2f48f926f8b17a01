"""An HTTP/2 client by hand, for what no library does: it calls, and never takes a byte of an answer's body."""

import socket
import struct
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
INITIAL_WINDOW_SIZE = 4
FRAME_MAX = 16384


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(text):
    """An HPACK string, not compressed, of any length."""
    data, number = text.encode(), len(text.encode())
    if number < 127:
        return bytes([number]) + data
    out, number = bytes([127]), number - 127
    while number >= 128:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number]) + data


class DeafClient:
    """One connection. Its streams have a window of 0, so that the server keeps what it has to say."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)))
        self.changed, self.writing = threading.Condition(), threading.Lock()
        self.connection_window = self.initial_window = 65535
        self.windows, self.over, self.calls = {}, set(), 0
        self.end = None  # why there is no connection any more
        threading.Thread(target=self._read, daemon=True).start()

    def close(self):
        self.socket.close()

    def call(self, method, request, seconds=20):
        """Sends a request whole, or until the call is over. Gives the stream."""
        stream, self.calls = 2 * self.calls + 1, self.calls + 1
        fields = ((":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "tutti"),
                  ("content-type", "application/grpc"), ("te", "trailers"))
        with self.changed:
            self.windows[stream] = self.initial_window
        self._send(frame(HEADERS, END_HEADERS, stream, b"".join(b"\0" + literal(k) + literal(v) for k, v in fields)))
        body, at = b"\0" + struct.pack(">I", len(request)) + request, 0
        while at < len(body):
            with self.changed:
                if not self.changed.wait_for(lambda: self._is_over(stream) or self._room(stream) > 0, seconds):
                    raise TimeoutError("the server takes no more of a request")
                if self._is_over(stream):
                    break
                size = min(self._room(stream), FRAME_MAX, len(body) - at)
                self.connection_window -= size
                self.windows[stream] -= size
            self._send(frame(DATA, END_STREAM if at + size == len(body) else 0, stream, body[at:at + size]))
            at += size
        return stream

    def _room(self, stream):
        return min(self.connection_window, self.windows[stream])

    def _is_over(self, stream):
        return self.end is not None or stream in self.over

    def _send(self, data):
        with self.writing:
            self.socket.sendall(data)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _read(self):
        try:
            while True:
                head = self._exactly(9)
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF
                payload = self._exactly(int.from_bytes(head[:3], "big"))
                with self.changed:
                    self._take(kind, flags, stream, payload)
                    self.changed.notify_all()
                if kind in (SETTINGS, PING) and not flags & ACK:
                    self._send(frame(kind, ACK, 0, payload if kind == PING else b""))
        except (OSError, EOFError) as error:
            with self.changed:
                self.end = self.end or repr(error)
                self.changed.notify_all()

    def _take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[at:at + 6])
                if key == INITIAL_WINDOW_SIZE:
                    self.windows = {s: w + value - self.initial_window for s, w in self.windows.items()}
                    self.initial_window = value
        elif kind == WINDOW and stream == 0:
            self.connection_window += int.from_bytes(payload, "big")
        elif kind == WINDOW and stream in self.windows:
            self.windows[stream] += int.from_bytes(payload, "big")
        elif kind == RESET or kind == HEADERS and flags & END_STREAM:
            self.over.add(stream)
        elif kind == GOAWAY:
            self.end = f"GOAWAY {int.from_bytes(payload[4:8], 'big')}"
