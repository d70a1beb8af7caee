#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sets what the drop generator recorded beside what tcpdrop showed (-j).

Each recorded drop must be there exactly once, with its header, its socket's
state and an acceptable reason, and nothing else of the generator's may be."""

import argparse
import ipaddress
import json
import sys

FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
REMOTE = tuple(map(ipaddress.ip_network, ("10.77.0.0/16", "fd77::/48")))
IDENTITY = ("ip", "saddr", "sport", "daddr", "dport")
HEADER = ("seq", "flags", "ack", "window", "length")


class Fault(Exception):
    """An input that is not what it should be."""


def read_lines(path):
    found = []
    with (sys.stdin if path == "-" else open(path, encoding="utf-8")) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                raise Fault(f"{path}:{number}: no JSON: {error}") from None
            if not isinstance(value, dict):
                raise Fault(f"{path}:{number}: no object")
            found.append(value)
    return found


def address(text):
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return text


def identity(drop):
    return tuple(address(drop.get(key)) if key.endswith("addr") else drop.get(key)
                 for key in IDENTITY)


def local_port(line):
    """The IP version, and the port that -s counts by: the destination's, but where a socket is
    known to have sent it. The peers' ports are the high ones."""
    sent = line["state"] and line["sport"] < 20000 <= line["dport"]
    return line["ip"], line["sport"] if sent else line["dport"]


def header_field(line, key):
    """No flags at all may be written as an empty text or as a word."""
    value = line.get(key)
    return "none" if key == "flags" and value == "" else value


def header_faults(want, got):
    return [f"{key} {got.get(key)!r}, not {want[key]!r}" for key in HEADER
            if want.get(key) is not None and header_field(got, key) != header_field(want, key)]


def same_segment(want, got):
    return identity(want) == identity(got) and (
        want.get("seq") is None or got.get("seq") == want["seq"])


def states(want):
    return want.get("states") or [want.get("state")]


def flow(drop):
    return (f"{drop.get('saddr')}:{drop.get('sport')} > {drop.get('daddr')}:{drop.get('dport')}"
            f" {drop.get('flags') or '-'} seq {drop.get('seq')} {drop.get('reason') or '-'}"
            f" at {drop.get('location') or '?'}")


def is_ours(drop, netns):
    """Whether a drop comes from the generator's run."""
    if netns and drop.get("netns"):
        return drop["netns"] in netns
    return any(isinstance(end, (ipaddress.IPv4Address, ipaddress.IPv6Address))
               and any(end in network for network in REMOTE if network.version == end.version)
               for end in (address(drop.get("saddr")), address(drop.get("daddr"))))


class Case:
    """All record lines of one case in one family."""

    def __init__(self, name, ip):
        self.name, self.ip = name, ip
        self.drops, self.never = [], []
        self.skip = self.error = None
        self.faults, self.reasons = [], []
        self.seen = self.doubled = self.false = 0
        self.state_ok = self.reason_ok = True

    @property
    def title(self):
        return f"{self.name} v{self.ip}"

    def fail(self, text):
        self.faults.append(text)


def read_cases(record):
    cases = {}
    for line in record:
        if "case" not in line:
            raise Fault(f"record line without a case: {line}")
        key = (line["case"], line.get("ip"))
        case = cases.setdefault(key, Case(*key))
        if "skip" in line:
            case.skip = line["skip"]
        elif "error" in line:
            case.error = line["error"]
        elif line.get("never"):
            case.never.append(line)
        else:
            case.drops.append(line)
    return cases


def by_tcp_drop(got):
    """Up to 5.17 tcp_drop() is given no reason, and frees with __kfree_skb()."""
    probe = got.get("probe") or "tcp_drop"
    return "tcp_drop" in probe or "__kfree_skb" in probe


def check_reason(case, want, got, options):
    reason = got.get("reason")
    case.reasons.append(str(reason) if reason is not None else "-")
    if reason is None and options.some_reasons and by_tcp_drop(got):
        return
    if options.no_reason:
        if reason is not None:
            case.reason_ok = False
            case.fail(f"reason {reason} on a kernel that gives none")
    elif reason not in want["reasons"]:
        case.reason_ok = False
        case.fail(f"reason {reason}, not {' or '.join(want['reasons'])}")


def check_state(case, want, got, options):
    state = got.get("state")
    if state in states(want) or options.no_state and state is None:
        return
    case.state_ok = False
    names = " or ".join(str(name) for name in states(want))
    case.fail(f"state {state}, not {names}")


def is_there(want, got, options):
    """Another run of the generator makes the same segments in another namespace."""
    return options.ignore_netns or not want.get("netns") or \
        got.get("netns") in (None, want["netns"])


def check_netns(case, want, got, options):
    """Without its socket a received packet may have nothing left that tells."""
    netns, told = got.get("netns"), got.get("state") in states(want)
    if not is_there(want, got, options) or \
            options.need_netns and want.get("netns") and netns is None and told:
        case.fail(f"netns {netns}, not {want['netns']}")


def check_one(case, want, got, options):
    for fault in header_faults(want, got):
        case.fail(fault)
    check_state(case, want, got, options)
    check_reason(case, want, got, options)
    check_netns(case, want, got, options)


def match(cases, drops, options):
    """Takes each recorded drop's matches out of drops; what is left is false."""
    by_identity = {}
    for drop in drops:
        by_identity.setdefault(identity(drop), []).append(drop)
    for case in cases.values():
        for want in case.drops:
            twins = [drop for drop in by_identity.get(identity(want), [])
                     if same_segment(want, drop)]
            twins = [drop for drop in twins if is_there(want, drop, options)] or twins
            fit = [drop for drop in twins if not header_faults(want, drop)]
            share = same_packets(cases, want)
            hits = fit or ([] if want.get("optional") else twins)
            if not hits:
                if not want.get("optional"):
                    case.fail("seen 0")
                continue
            case.seen += 1
            check_one(case, want, hits[0], options)
            taken = hits[:1]
            want["used"] = True
            if share == 1 and len(hits) > 1:
                case.doubled += len(hits) - 1
                case.fail(f"seen {len(hits)}")
                taken = twins
            by_identity[identity(want)] = [drop for drop in by_identity[identity(want)]
                                           if not any(drop is other for other in taken)]
    return [drop for rest in by_identity.values() for drop in rest]


def same_packets(cases, want):
    """How many recorded drops not yet matched look exactly like this one."""
    return sum(same_segment(want, other) for case in cases.values()
               for other in case.drops if not other.get("used"))


def never_matches(line, drop):
    ends = {drop.get("sport"), drop.get("dport")}
    ports = {port for port in (line.get("sport"), line.get("dport")) if port}
    return drop.get("ip") == line.get("ip") and bool(ports) and ports <= ends


def is_allowed(line, drop):
    return drop.get("flags") in line.get("allow", []) and not drop.get("length")


def blame(cases, left, netns, options):
    """Gives false lines to the case whose ports they have; returns the others."""
    others = []
    for drop in left:
        ours = is_ours(drop, netns)
        owner = None
        if ours or not drop.get("netns"):
            owner = next(((case, line) for case in cases.values() for line in case.never
                          if never_matches(line, drop)), None)
        if owner and is_allowed(owner[1], drop):
            continue
        if owner:
            owner[0].false += 1
            owner[0].fail(f"shown: {flow(drop)}")
        elif ours or not options.others_ok:
            others.append(drop)
    return others


def check_stream(lines):
    """The end line's own arithmetic, and losses."""
    faults = []
    lost = sum(line.get("count", 0) for line in lines if line.get("type") == "lost")
    ends = [line for line in lines if line.get("type") == "end"]
    shown = sum(line.get("type") == "drop" for line in lines)
    if len(ends) != 1 or lines[-1].get("type") != "end":
        return [f"{len(ends)} end lines, or not the last line"]
    end = ends[0]
    if end.get("seen") != end.get("shown", 0) + end.get("lost", 0):
        faults.append(f"seen {end.get('seen')} is not shown {end.get('shown')}"
                      f" + lost {end.get('lost')}")
    if end.get("shown") != shown:
        faults.append(f"shown {end.get('shown')}, but {shown} drop lines")
    if lost or end.get("lost"):
        faults.append(f"lost {max(lost, end.get('lost') or 0)}")
    return faults


def compare(record, shown, options):
    cases = read_cases(record)
    drops = [line for line in shown if line.get("type") == "drop"]
    netns = set() if options.ignore_netns else {line["netns"] for line in record
                                                if line.get("netns")}
    left = match(cases, drops, options)
    others = blame(cases, left, netns, options)
    for case in cases.values():
        if case.error:
            case.fail(f"the generator could not make it: {case.error}")
    return cases, others, check_stream(shown) if shown else ["no output"]


def print_matrix(cases):
    print("case\tip\tresult\texpected\tseen\tdoubled\tfalse\tstate_ok\treason_ok\treason\tcause")
    for case in cases.values():
        result = "fail" if case.faults else "skip" if case.skip else "ok"
        expected = sum(not line.get("optional") for line in case.drops)
        cause = case.skip or "; ".join(case.faults) or "-"
        print(case.name, case.ip, result, expected, case.seen, case.doubled, case.false,
              "yes" if case.state_ok else "no", "yes" if case.reason_ok else "no",
              ",".join(case.reasons) or "-", cause, sep="\t")


def print_tap(cases, others, stream):
    passed = failed = skipped = number = 0

    def line(ok, text):
        nonlocal number, passed, failed
        number += 1
        passed, failed = passed + ok, failed + (not ok)
        print(f"{'ok' if ok else 'not ok'} {number} - {text}")

    for case in cases.values():
        if case.skip and not case.faults:
            number += 1
            skipped += 1
            print(f"ok {number} - {case.title} # SKIP {case.skip}")
            continue
        what = ", ".join(case.reasons) if case.drops else "nothing shown"
        line(not case.faults, f"{case.title}: {'; '.join(case.faults) or what or 'not seen'}")
    line(not others, f"nothing else shown: {len(others)} more")
    for drop in others[:20]:
        print(f"# {flow(drop)}")
    line(not stream, f"the last line adds up{': ' if stream else ''}{'; '.join(stream)}")
    print(f"1..{number}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", help="what the generator wrote")
    parser.add_argument("shown", help="what tcpdrop -j wrote")
    parser.add_argument("--no-reason", action="store_true", help="this kernel gives no reasons")
    parser.add_argument("--some-reasons", action="store_true",
                        help="tcp_drop() gives no reason, as from 5.15 stable to 5.17")
    parser.add_argument("--no-state", action="store_true", help="a state may be null")
    parser.add_argument("--ignore-netns", action="store_true",
                        help="the namespace is not compared, and tells no false line")
    parser.add_argument("--need-netns", action="store_true",
                        help="the namespace must be told, but where a state is missing")
    parser.add_argument("--others-ok", action="store_true",
                        help="drops of other addresses are no fault")
    parser.add_argument("--matrix", action="store_true", help="one line a case, tab-separated")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    try:
        cases, others, stream = compare(read_lines(options.record), read_lines(options.shown),
                                        options)
    except (Fault, OSError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    if not cases:
        print("compare: the record is empty", file=sys.stderr)
        return 2
    if options.matrix:
        print_matrix(cases)
        return 1 if others or stream or any(case.faults for case in cases.values()) else 0
    return 1 if print_tap(cases, others, stream) else 0


if __name__ == "__main__":
    sys.exit(main())
