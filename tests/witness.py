# SPDX-License-Identifier: MIT
"""What the kernel's own tracepoint skb:kfree_skb wrote to a trace buffer, read
from the raw pages (trace_pipe_raw), for the text form hashes the addresses on
older kernels. Little-endian, as the machines of tests/vm are."""

import bisect
import collections
import re
import struct

PAGE = 4096
PAGE_HEADER = 16  # a time stamp, and how many bytes follow
PADDING, TIME_EXTEND, TIME_STAMP = 29, 30, 31  # linux/ring_buffer.h


class Fault(Exception):
    """Pages that are not what they should be."""


def fields(text):
    """name: (offset, size), from the event's format file."""
    return {name: (int(offset), int(size)) for name, offset, size in re.findall(
        r"field:[^;]*?(\w+)(?:\[\d*\])?;\s*offset:(\d+);\s*size:(\d+);", text)}


def page_events(page):
    """The data of each event in one page."""
    _, commit = struct.unpack_from("<QQ", page)
    if commit & 1 << 31:
        raise Fault("the trace buffer was too small")
    at, end = PAGE_HEADER, PAGE_HEADER + (commit & 0xfffff)
    while at + 4 <= end:
        head, = struct.unpack_from("<I", page, at)
        kind, delta = head & 31, head >> 5
        if kind in (TIME_EXTEND, TIME_STAMP):
            at += 8
            continue
        if kind == PADDING and not delta:
            return
        long_form = kind in (0, PADDING)
        length = struct.unpack_from("<I", page, at + 4)[0] if long_form else 4 * kind
        if kind != PADDING:
            yield page[at + 4 + 4 * long_form:at + 4 + length]
        at += 4 + length


def frees(raw, layout):
    """(address of the caller, reason or None) of each buffer freed."""
    def value(data, name):
        offset, size = layout[name]
        return int.from_bytes(data[offset:offset + size], "little")
    if len(raw) % PAGE:
        raise Fault(f"{len(raw)} bytes are not whole pages")
    for start in range(0, len(raw), PAGE):
        for data in page_events(raw[start:start + PAGE]):
            yield value(data, "location"), value(data, "reason") if "reason" in layout else None


class Symbols:
    """Addresses to names, as /proc/kallsyms has them."""

    def __init__(self, text):
        found = sorted({(int(line[0], 16), line[2]) for line in map(str.split, text.splitlines())
                        if len(line) >= 3})
        self.addresses = [address for address, _ in found]
        self.names = [name for _, name in found]

    def find(self, address):
        at = bisect.bisect_right(self.addresses, address) - 1
        return f"{self.names[at]}+{address - self.addresses[at]:#x}" if at >= 0 else hex(address)


def in_tcp(places):
    """How often each (place, reason) of TCP's own functions is there."""
    return collections.Counter(place for place in places if re.match(r"tcp_", place[0]))
