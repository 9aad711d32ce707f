# SPDX-License-Identifier: Apache-2.0
"""A strict HTTP/1.1 client over a plain socket: sends what it is told, reads exactly what comes."""
import json
import socket


class Answer:
    def __init__(self, status, reason, headers):
        self.status = status
        self.reason = reason
        self.headers = headers  # list of (lower-case name, value)
        self.body = b""
        self.chunks = None  # of a chunked body

    def header(self, name):
        return next((value for key, value in self.headers if key == name), None)


class Wire:
    """One connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # the server may refuse before it has read all; its answer tells

    def close_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def post(self, path, body):
        """Sends a request and reads nothing."""
        data = json.dumps(body).encode()
        self.send(f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n"
                  f"content-length: {len(data)}\r\n\r\n".encode() + data)

    def read_some(self):
        """Whatever comes next; empty at the end."""
        return self.socket.recv(65536)

    def ask(self, request):
        """request: method, path, headers (list of pairs), body (bytes or None)."""
        lines = [f"{request['method']} {request['path']} HTTP/1.1", "host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in request["headers"]]
        if request["body"] is not None:
            lines.append(f"content-length: {len(request['body'])}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (request["body"] or b""))
        return self.read_answer(no_body=request["method"] == "HEAD")

    def read_answer(self, no_body=False, patience_s=30):
        """The next final answer; None if the connection ends or nothing comes."""
        self.socket.settimeout(patience_s)
        try:
            answer = self._read_head()
            while answer is not None and answer.status == 100:
                answer = self._read_head()
            if answer is None or no_body:
                return answer
            self._read_body(answer)
            return answer
        except (TimeoutError, ConnectionError):
            return None

    def _fill(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def _line(self):
        while b"\r\n" not in self.buffer:
            if not self._fill():
                return None
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def _bytes(self, count):
        while len(self.buffer) < count:
            if not self._fill():
                raise ConnectionError("the body ends early")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _read_head(self):
        status_line = self._line()
        if status_line is None:
            return None
        version, status, reason = (status_line.split(" ", 2) + [""])[:3]
        assert version == "HTTP/1.1", status_line
        headers = []
        while True:
            line = self._line()
            if line is None:
                return None
            if not line:
                return Answer(int(status), reason, headers)
            name, value = line.split(":", 1)
            headers.append((name.lower(), value.strip()))

    def _read_body(self, answer):
        if answer.header("transfer-encoding") == "chunked":
            answer.chunks = []
            while size := int(self._line(), 16):
                answer.chunks.append(self._bytes(size))
                assert self._line() == ""
            assert self._line() == ""
            answer.body = b"".join(answer.chunks)
        elif answer.header("content-length") is not None:
            answer.body = self._bytes(int(answer.header("content-length")))
        else:
            while self._fill():
                pass
            answer.body, self.buffer = self.buffer, b""
