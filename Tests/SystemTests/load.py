"""Requests at a set rate, whatever the answers do: an open loop, as callers make it who do not know of each other."""

import asyncio
import time

HOST, PORT = "127.0.0.1", 3000
TIMEOUT_S = 1.0  # an answer later than this does not count as one


class Tally:
    """What came back."""

    def __init__(self):
        self.sent = self.good = self.late = self.refused = self.errors = 0
        self.seconds = []

    def figures(self):
        times = sorted(self.seconds)
        at = lambda share: round(times[min(len(times) - 1, int(len(times) * share))] * 1000, 1) if times else None
        return {
            "requests": self.sent, "goodShare": round(self.good / max(1, self.sent), 6), "late": self.late,
            "refused": self.refused, "serverErrors": self.errors,
            "p50Ms": at(0.5), "p95Ms": at(0.95), "p99Ms": at(0.99),
        }


class Caller:
    """One kept-alive connection."""

    def __init__(self):
        self.reader = self.writer = None

    async def get(self, path):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(HOST, PORT)
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        await self.reader.readuntil(b"0\r\n\r\n")  # the gateway's answers are one chunk and the end
        return int(head.split(b" ", 2)[1])

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


async def one(path, idle, tally):
    """One request on an idle connection, or a new one."""
    caller = idle.pop() if idle else Caller()
    tally.sent += 1
    began = time.monotonic()
    try:
        code = await asyncio.wait_for(caller.get(path), TIMEOUT_S)
        tally.seconds.append(time.monotonic() - began)
        if code < 500:
            tally.good += 1
        else:
            tally.errors += 1
        idle.append(caller)
    except asyncio.TimeoutError:
        tally.late += 1
        caller.close()
    except (OSError, asyncio.IncompleteReadError):
        tally.refused += 1
        caller.close()


async def offer(plan, path="/work?ms=1"):
    """Offers `plan`, a list of (seconds, requests a second), and returns what came back for each part together."""
    tally, idle, under_way = Tally(), [], set()
    for seconds, rate in plan:
        begin = time.monotonic()
        for number in range(int(seconds * rate)):
            pause = begin + number / rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            task = asyncio.create_task(one(path, idle, tally))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    for caller in idle:
        caller.close()
    return tally
