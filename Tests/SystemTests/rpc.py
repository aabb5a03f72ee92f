"""The daemons' sockets, as an operator's script would use them: a 4-byte big-endian length, then JSON-RPC 2.0."""

import itertools
import json
import os
import socket
import struct

DAEMONS = ("configd", "metricsd", "healthd", "watchdogd")


def path(daemon):
    """The daemon's socket: of the installed suite, or where the environment says, for daemons run by hand."""
    return f"{os.environ.get('MAINSTAY_SOCKETS', '/run/mainstay')}/{daemon}.sock"


class Refused(Exception):
    """The daemon's own error, as it sent it."""


class Silent(Exception):
    """No answer: no socket, nobody listening, or the time was up."""


class Connection:
    """One connection to a daemon. Any failure to answer is `Silent`, whatever its cause."""

    def __init__(self, daemon, timeout=5.0, folder=None, first_id=1):
        self.daemon = daemon
        self.ids = itertools.count(first_id)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(f"{folder}/{daemon}.sock" if folder else path(daemon))
        except OSError as error:
            raise Silent(f"{daemon}: {error}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, **params):
        """Asks, and waits for nothing; the call's id."""
        params.setdefault("deadlineMs", int(self.socket.gettimeout() * 1000))
        request = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": params}
        body = json.dumps(request).encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)
        return request["id"]

    def call(self, method, **params):
        try:
            number = self.send(method, **params)
            while True:
                reply = json.loads(self._take(struct.unpack(">I", self._take(4))[0]))
                if reply.get("id") == number:
                    break
        except OSError as error:
            raise Silent(f"{self.daemon}: {error}") from error
        if "error" in reply:
            raise Refused(f"{self.daemon} {method}: {reply['error']}")
        return reply["result"]

    def _take(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionResetError("closed")
            data += more
        return data


def call(daemon, method, timeout=5.0, **params):
    """One call on a connection of its own."""
    with Connection(daemon, timeout) as connection:
        return connection.call(method, **params)


def answers(daemon, timeout=1.0):
    """The daemon's `status`, or None where it does not answer in time."""
    try:
        return call(daemon, "status", timeout)
    except Silent:
        return None
