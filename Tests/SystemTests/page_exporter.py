"""A service's page of a thousand series that move as a service's do, for what scrapes each second."""

import contextlib
import http.server
import random
import threading
import time

SERIES = 1000


class PageExporter(http.server.BaseHTTPRequestHandler):
    """A service's figures: constants, counters, walks and noise, as services have them. One text a second, whoever asks."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    rng = random.Random(2)
    second, text = None, b""
    values = [0.0] * SERIES

    @classmethod
    def now(cls):
        with cls.lock:
            second = int(time.time())
            if second != cls.second:
                cls.second = second
                cls.step()
                cls.text = "".join(
                    f'{("constant", "count", "walk", "noise")[kind(number)]}{{of="{number}",host="{number % 5}"}} '
                    f"{value:.15g}\n" for number, value in enumerate(cls.values)).encode()
            return cls.text

    @classmethod
    def step(cls):
        for number in range(SERIES):
            if kind(number) == 1:
                cls.values[number] += cls.rng.choice((0, 0, 1, 1, 2, 7, 1500))
            elif kind(number) == 2:
                cls.values[number] = round(cls.values[number] + cls.rng.uniform(-1, 1), 2)
            elif kind(number) == 3:
                cls.values[number] = cls.rng.random()

    def do_GET(self):
        text = self.now()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def kind(number):
    """Of ten series four never change, three count, two walk, one is noise."""
    return (0, 0, 0, 0, 1, 1, 1, 2, 2, 3)[number % 10]


@contextlib.contextmanager
def page_exporter():
    """Its port on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), PageExporter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
