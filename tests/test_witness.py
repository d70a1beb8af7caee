#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reader of trace pages, on pages made by hand."""

import struct
import unittest

import witness

FORMAT = """name: kfree_skb
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:void * skbaddr;	offset:8;	size:8;	signed:0;
	field:void * location;	offset:16;	size:8;	signed:0;
	field:enum skb_drop_reason reason;	offset:24;	size:4;	signed:0;
"""
SYMBOLS = "1000 T ip_rcv\n2000 t tcp_v4_rcv\n3000 T other\n"


def event(location, reason, long_form=False):
    data = struct.pack("<HBBiQQI", 1, 0, 0, 7, 99, location, reason)
    if long_form:
        return struct.pack("<II", 5 << 5, len(data) + 4) + data
    return struct.pack("<I", 5 << 5 | len(data) // 4) + data


def page(*events, flags=0):
    body = b"".join(events)
    return (struct.pack("<QQ", 1, len(body) | flags) + body).ljust(witness.PAGE, b"\0")


class Pages(unittest.TestCase):
    def read(self, raw):
        return list(witness.frees(raw, witness.fields(FORMAT)))

    def test_fields(self):
        self.assertEqual(witness.fields(FORMAT)["location"], (16, 8))
        self.assertEqual(witness.fields(FORMAT)["reason"], (24, 4))

    def test_events(self):
        extend = struct.pack("<II", 1 << 5 | witness.TIME_EXTEND, 0)
        discarded = struct.pack("<II", 1 << 5 | witness.PADDING, 8) + b"\xff" * 4
        raw = page(event(1, 2), extend, event(3, 4, True), discarded, event(5, 6)) \
            + page(event(7, 8), struct.pack("<I", witness.PADDING), event(9, 9))
        self.assertEqual(self.read(raw), [(1, 2), (3, 4), (5, 6), (7, 8)])

    def test_faults(self):
        with self.assertRaises(witness.Fault):
            self.read(page(event(1, 2), flags=1 << 31))
        with self.assertRaises(witness.Fault):
            self.read(page(event(1, 2))[:-1])

    def test_no_reason(self):
        layout = witness.fields(FORMAT)
        del layout["reason"]
        self.assertEqual(list(witness.frees(page(event(1, 2)), layout)), [(1, None)])


class Places(unittest.TestCase):
    def test_symbols(self):
        symbols = witness.Symbols(SYMBOLS)
        self.assertEqual(symbols.find(0x2010), "tcp_v4_rcv+0x10")
        self.assertEqual(symbols.find(0xfff), "0xfff")

    def test_in_tcp(self):
        places = [("tcp_v4_rcv+0x1", 3), ("ip_rcv+0x2", 3), ("tcp_v4_rcv+0x1", 3)]
        self.assertEqual(witness.in_tcp(places), {("tcp_v4_rcv+0x1", 3): 2})


if __name__ == "__main__":
    unittest.main()
