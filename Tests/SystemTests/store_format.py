"""metricsd's store files, read by somebody who knows only how they are described: frames, times and chunks."""

import struct
import typing

HEADER = 16
MARKER, VERSION = 0xA7, 1
SERIES, TICKS, BLOCK, TIMES, CHUNK, INDEX, END, ENTRY, WHOLE, COMPLETED = range(1, 11)


class Frame(typing.NamedTuple):
    kind: int
    start: int
    end: int
    payload: bytes


def frames(data):
    """The frames of a file that nothing has happened to, up to the zeros of reserved room."""
    at = 0
    while at + HEADER <= len(data) and data[at] == MARKER:
        kind, version, length, total, header = struct.unpack_from("<xBHIII", data, at)
        payload = data[at + HEADER:at + HEADER + length]
        if version != VERSION or crc32c(data[at:at + 12]) != header or crc32c(payload) != total:
            raise ValueError(f"no whole frame at {at}")
        yield Frame(kind, at, at + HEADER + length, payload)
        at += HEADER + length
    if any(data[at:]):
        raise ValueError(f"no frame at {at}")


def _table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


_TABLE = list(_table())


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def varints(data, count, at=0):
    values = []
    for _ in range(count):
        value, at = varint(data, at)
        values.append(value)
    return values, at


class Bits:
    """Reads from the most significant bit of each byte."""

    def __init__(self, data):
        self.text = "".join(f"{byte:08b}" for byte in data)
        self.at = 0

    def take(self, width):
        self.at += width
        return int(self.text[self.at - width:self.at], 2)

    def ones(self, most):
        count = 0
        while count < most and self.take(1):
            count += 1
        return count


def signed(pattern):
    return pattern - (1 << 64) if pattern >> 63 else pattern


def times(payload):
    """The block, the number of the first time, and the times of a frame: delta of delta, as in Gorilla."""
    (block, first, count), at = varints(payload, 3)
    bits, found, delta = Bits(payload[at:]), [], 0
    for number in range(count):
        if number == 0:
            found.append(signed(bits.take(64)))
            continue
        ones = bits.ones(4)
        width, base = {0: (0, 0), 1: (7, -63), 2: (9, -255), 3: (12, -2047), 4: (64, 0)}[ones]
        change = bits.take(width) + base if width else 0
        delta += signed(change) if ones == 4 else change
        found.append(found[-1] + delta)
    return block, first, found


def chunk_start(payload):
    """Where a chunk's first tick and its count stand."""
    return varints(payload, 2)[1] + 1


def chunk(payload):
    """The block, the series, the number of the first value, and the values of a frame: XOR, as in Gorilla."""
    (block, series), at = varints(payload, 2)
    if payload[at] != 1:
        raise ValueError(f"encoding {payload[at]}")
    (start, count), at = varints(payload, 2, at + 1)
    bits, last, values = Bits(payload[at:]), 0, []
    leading = length = 0
    for number in range(count):
        if number == 0:
            last = bits.take(64)
        elif bits.take(1):
            if bits.take(1):
                leading, length = bits.take(5), bits.take(6) or 64
            last ^= bits.take(length) << (64 - leading - length)
        values.append(struct.unpack(">d", struct.pack(">Q", last))[0])
    return block, series, start, values


def series(payload):
    """The number and the name of a series."""
    number, at = varint(payload, 0)
    length, at = varint(payload, at)
    return number, payload[at:at + length].decode()
