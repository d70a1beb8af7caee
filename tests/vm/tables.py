# SPDX-License-Identifier: MIT
"""What --check says, and the tables that tests/vm/matrix ends with."""

import collections
import re

from harness import Tap


def attached(check):
    """The probes that are, as --check names them."""
    return re.findall(r"^(?:ok|note) +probe +(\S+): (?=.*instructions)", check, re.MULTILINE)


def kernel_of(check):
    """(4, 4): uname may lie."""
    found = re.search(r"kernel +Linux (\d+)\.(\d+)", check)
    return tuple(map(int, found.groups())) if found else (0, 0)


def offsets_told(text):
    found = re.search(r"offsets +(?:the kernel tells|measured with a packet of our own:) "
                      r"(\d+) of (\d+), (\d+) differ", text)
    return tuple(map(int, found.groups())) if found else None


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        Tap.note("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


def counts(machine, probes):
    cases = machine.results.get(probes)
    if cases is None:
        return "-"
    by_result = collections.Counter(case.result for case in cases)
    return f"{by_result['ok']}/{by_result['FAIL']}/{by_result['skip'] + by_result['unseen']}"


def print_kernels(machines, versions, sets):
    rows = [("kernel", "package", "probes", "offsets", *sets, "peak", "boot", "all")]
    for machine in machines:
        check = machine.read("default.check")
        probes = [name.removeprefix("kprobe:") for name in attached(check)]
        told = offsets_told(check)
        up = re.search(r"script begins, up ([\d.]+)", machine.read("console"))
        rows.append((machine.kernel, versions.get(machine.line, "-"), " + ".join(probes) or "-",
                     f"{told[0]} of {told[1]}, {told[2]} differ" if told else "-",
                     *(counts(machine, one) for one in sets),
                     f"{machine.read('default.peak').strip() or '?'} KiB",
                     f"{float(up.group(1)):.0f} s" if up else "-", f"{machine.seconds:.0f} s"))
    Tap.note("cases are passed/failed/skipped")
    table(rows)


def totals(machines):
    """Over all causes: the drops seen, whose cases had the right state and reason, and the rest."""
    counted = (("drops seen", lambda case: case.seen),
               ("state right", lambda case: case.seen * case.state_ok),
               ("reason right", lambda case: case.seen * case.reason_ok),
               ("doubled", lambda case: case.doubled), ("false", lambda case: case.false))
    return [(name, *(sum(map(count, machine.results.get("default", []))) for machine in machines))
            for name, count in counted]


def print_causes(machines):
    """Each case by kernel: v4 and v6 when they differ, and the reason it had."""
    names, cells = [], {}
    for machine in machines:
        for case in machine.results.get("default", []):
            if case.name not in names:
                names.append(case.name)
            cells.setdefault((case.name, machine.kernel), []).append(case.result)
    rows = [("cause", *(machine.kernel for machine in machines))]
    for name in names:
        row = [name]
        for machine in machines:
            results = cells.get((name, machine.kernel), ["-"])
            row.append("/".join(results if len(set(results)) > 1 else results[:1]))
        rows.append(tuple(row))
    table(rows + totals(machines))
