#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare.py must fail on every kind of wrong output, not only pass on right ones."""

import contextlib
import copy
import io
import json
import os
import tempfile
import unittest

import compare

NETNS = 4026532001


def wanted(**change):
    line = {"case": "overwindow", "ip": 4, "saddr": "10.77.0.2", "sport": 30008,
            "daddr": "10.77.0.1", "dport": 10001, "seq": 1000, "flags": "PSH|ACK", "ack": 7,
            "window": 8000, "length": 10, "state": "ESTABLISHED", "states": ["ESTABLISHED"],
            "reasons": ["TCP_INVALID_SEQUENCE", "TCP_OVERWINDOW"], "netns": NETNS}
    line.update(change)
    return line


def closed(**change):
    return wanted(case="closed_port", sport=30000, dport=10000, flags="SYN", ack=0, length=0,
                  state=None, states=[None], reasons=["NO_SOCKET"], **change)


def shown(want, **change):
    line = {"type": "drop", "time": "2026-11-23T13:05:22.123456789Z", "cpu": 1, "pid": 0,
            "comm": "swapper/1", "reason_code": 3, "ifindex": 2, "location": "tcp_v4_rcv+0x1",
            "stack": [], "reason": want["reasons"][0]}
    line.update({key: want[key] for key in compare.IDENTITY + compare.HEADER + ("state", "netns")})
    line.update(change)
    return line


def end(drops, lost=0):
    return {"type": "end", "seen": drops + lost, "shown": drops, "lost": lost}


class CompareTest(unittest.TestCase):
    def run_on(self, record, drops, *arguments, last=None):
        lines = drops + [last or end(sum(drop["type"] == "drop" for drop in drops))]
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("record", "shown")]
            for path, content in zip(paths, (record, lines)):
                with open(path, "w", encoding="utf-8") as file:
                    file.writelines(json.dumps(line) + "\n" for line in copy.deepcopy(content))
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                status = compare.main([*arguments, *paths])
        return status, out.getvalue()

    def passes(self, record, drops, *arguments, **more):
        status, out = self.run_on(record, drops, *arguments, **more)
        self.assertEqual(status, 0, out)
        self.assertIn(", 0 failed,", out)
        return out

    def fails(self, text, record, drops, *arguments, **more):
        status, out = self.run_on(record, drops, *arguments, **more)
        self.assertEqual(status, 1, out)
        self.assertIn(text, out)
        self.assertNotIn(", 0 failed,", out)

    def test_right(self):
        record = [wanted(), closed()]
        out = self.passes(record, [shown(line) for line in record])
        self.assertIn("4 passed, 0 failed, 0 skipped", out)
        self.assertIn("ok 1 - overwindow v4: TCP_INVALID_SEQUENCE", out)

    def test_second_reason(self):
        self.passes([wanted()], [shown(wanted(), reason="TCP_OVERWINDOW")])

    def test_missing(self):
        self.fails("not ok 1 - overwindow v4: seen 0", [wanted(), closed()], [shown(closed())])

    def test_all_missing(self):
        self.fails("seen 0", [wanted()], [])

    def test_doubled(self):
        self.fails("seen 2", [wanted()], [shown(wanted())] * 2)

    def test_doubled_with_other_reason(self):
        self.fails("seen 2", [wanted()],
                   [shown(wanted()), shown(wanted(), reason="TCP_OVERWINDOW")])

    def test_false_in_namespace(self):
        self.fails("nothing else shown: 1 more", [wanted()],
                   [shown(wanted()), shown(wanted(), seq=5)], "--others-ok")

    def test_false_by_address(self):
        self.fails("nothing else shown: 1 more", [wanted()],
                   [shown(wanted()), shown(wanted(), seq=5, netns=None)], "--others-ok")

    def test_false_from_elsewhere(self):
        other = shown(wanted(), saddr="192.0.2.1", daddr="192.0.2.2", netns=1)
        self.fails("nothing else shown: 1 more", [wanted()], [shown(wanted()), other])
        self.passes([wanted()], [shown(wanted()), other], "--others-ok")

    def test_wrong_header(self):
        for key, value in (("flags", "ACK|PSH"), ("flags", "ACK"), ("ack", 8), ("window", 1),
                           ("length", 9)):
            with self.subTest(key=key, value=value):
                self.fails(f"{key} {value!r}, not", [wanted()], [shown(wanted(), **{key: value})])

    def test_wrong_identity(self):
        for key, value in (("saddr", "10.77.0.3"), ("sport", 1), ("daddr", "10.77.0.9"),
                           ("dport", 1), ("seq", 1001), ("ip", 6)):
            with self.subTest(key=key):
                self.fails("seen 0", [wanted()], [shown(wanted(), **{key: value})])

    def test_wrong_state(self):
        self.fails("state SYN_SENT", [wanted()], [shown(wanted(), state="SYN_SENT")])
        self.fails("state SYN_SENT", [wanted()], [shown(wanted(), state="SYN_SENT")], "--no-state")
        self.fails("state ESTABLISHED, not None", [closed()],
                   [shown(closed(), state="ESTABLISHED")])

    def test_null_state(self):
        self.fails("state None", [wanted()], [shown(wanted(), state=None)])
        self.passes([wanted()], [shown(wanted(), state=None)], "--no-state")

    def test_other_states(self):
        record = [wanted(state="CLOSE", states=["CLOSE", None])]
        self.passes(record, [shown(wanted(), state=None)])
        self.passes(record, [shown(wanted(), state="CLOSE")])

    def test_wrong_reason(self):
        self.fails("reason NO_SOCKET", [wanted()], [shown(wanted(), reason="NO_SOCKET")])
        self.fails("reason None", [wanted()], [shown(wanted(), reason=None)])

    def test_no_reason(self):
        self.passes([wanted()], [shown(wanted(), reason=None)], "--no-reason")
        self.fails("gives none", [wanted()], [shown(wanted())], "--no-reason")
        self.passes([wanted()], [shown(wanted(), reason=None)], "--some-reasons")
        self.passes([wanted()], [shown(wanted(), reason=None, probe="kprobe:__kfree_skb")],
                    "--some-reasons")
        self.fails("reason None", [wanted()],
                   [shown(wanted(), reason=None, probe="kprobe:kfree_skb_reason")],
                   "--some-reasons")
        self.fails("reason PROTO_MEM", [wanted()], [shown(wanted(), reason="PROTO_MEM")],
                   "--some-reasons")

    def test_same_elsewhere(self):
        both = [shown(wanted(), netns=5), shown(wanted()), shown(closed(), netns=5)]
        self.passes([wanted()], both, "--others-ok")
        self.fails("nothing else shown: 2 more", [wanted()], both)
        self.fails("seen 2", [wanted()], both + [shown(wanted())], "--others-ok")
        self.fails("seen 2", [wanted()], both, "--others-ok", "--ignore-netns")

    def test_wrong_netns(self):
        self.fails("netns 5", [wanted()], [shown(wanted(), netns=5)])
        self.passes([wanted()], [shown(wanted(), netns=5)], "--ignore-netns")
        self.passes([wanted()], [shown(wanted(), netns=None)])
        self.fails("netns None", [wanted()], [shown(wanted(), netns=None)], "--need-netns")
        self.fails("netns 5", [wanted()], [shown(wanted(), netns=5)], "--need-netns")
        self.passes([wanted()], [shown(wanted(), netns=None, state=None)], "--need-netns",
                    "--no-state")
        self.passes([wanted()], [shown(wanted())], "--need-netns")

    def test_optional(self):
        record = [wanted(), wanted(seq=2000, optional=True)]
        self.passes(record, [shown(wanted())])
        self.passes(record, [shown(line) for line in record])
        self.fails("seen 2", record, [shown(wanted())] + [shown(record[1])] * 2)
        bare = wanted(flags="ACK", length=0, optional=True)
        self.passes([bare, wanted()], [shown(wanted())])

    def test_two_alike(self):
        record = [wanted(), wanted()]
        self.passes(record, [shown(wanted())] * 2)
        self.fails("seen 0", record, [shown(wanted())])
        self.fails("seen 2", record, [shown(wanted())] * 3)

    def test_never(self):
        never = {"case": "raw_unread", "ip": 4, "never": True, "sport": 30080, "dport": 10010,
                 "allow": [], "netns": NETNS}
        copied = shown(wanted(), sport=30080, dport=10010)
        self.passes([wanted(), never], [shown(wanted())])
        self.fails("raw_unread v4: shown:", [wanted(), never], [shown(wanted()), copied])
        self.fails("raw_unread v4: shown:", [wanted(), never],
                   [shown(wanted()), {**copied, "netns": None}])
        never["allow"] = ["ACK"]
        self.fails("raw_unread v4: shown:", [wanted(), never], [shown(wanted()), copied])
        self.passes([wanted(), never], [shown(wanted()), {**copied, "flags": "ACK", "length": 0}])

    def test_skip_and_error(self):
        skip = {"case": "min_ttl", "ip": 6, "skip": "no minimum TTL", "netns": NETNS}
        out = self.passes([wanted(), skip], [shown(wanted())])
        self.assertIn("ok 2 - min_ttl v6 # SKIP no minimum TTL", out)
        self.assertIn("3 passed, 0 failed, 1 skipped", out)
        error = {"case": "paws", "ip": 4, "error": "no SYN|ACK"}
        self.fails("could not make it", [wanted(), error], [shown(wanted())])

    def test_any_header(self):
        record = [wanted(flags=None, ack=None, window=None, length=None)]
        self.passes(record, [shown(wanted())])
        self.passes(record, [shown(wanted(), flags=None, length=0)])
        record = [wanted(seq=None, flags=None, ack=None, window=None, length=None)]
        self.passes(record, [shown(record[0])])
        self.fails("seen 2", record, [shown(record[0])] * 2)

    def test_no_flags(self):
        record = [wanted(flags="")]
        self.passes(record, [shown(record[0])])
        self.passes(record, [shown(record[0], flags="none")])
        self.fails("flags None", record, [shown(record[0], flags=None)])
        self.fails("flags 'ACK'", record, [shown(record[0], flags="ACK")])

    def test_ip6_spelling(self):
        record = [wanted(ip=6, saddr="fd77::2", daddr="fd77::1")]
        self.passes(record, [shown(record[0], saddr="fd77:0:0:0:0:0:0:2")])

    def test_stream(self):
        drop = [shown(wanted())]
        self.fails("lost 3", [wanted()], drop, last=end(1, lost=3))
        self.fails("but 1 drop lines", [wanted()], drop, last=end(2))
        self.fails("is not shown", [wanted()], drop,
                   last={"type": "end", "seen": 2, "shown": 1, "lost": 0})
        self.fails("0 end lines", [wanted()], drop, last=shown(wanted(), saddr="192.0.2.1"))

    def test_bad_input(self):
        self.assertEqual(self.run_on([], [shown(wanted())])[0], 2)
        self.assertEqual(compare_quietly(["/nonexistent", "/nonexistent"]), 2)

    def test_matrix(self):
        status, out = self.run_on([wanted(), closed()], [shown(wanted(), state="CLOSE")] * 2,
                                  "--matrix")
        self.assertEqual(status, 1)
        rows = [line.split("\t") for line in out.splitlines()]
        self.assertEqual(rows[1][:9], ["overwindow", "4", "fail", "1", "1", "1", "0", "no", "yes"])
        self.assertEqual(rows[2][:9],
                         ["closed_port", "4", "fail", "1", "0", "0", "0", "yes", "yes"])


def compare_quietly(arguments):
    with contextlib.redirect_stderr(io.StringIO()):
        return compare.main(arguments)


if __name__ == "__main__":
    unittest.main()
