# SPDX-License-Identifier: MIT
"""Drops on sockets of processes that are known, for tests/live: who owns them
is what those processes say, and what ss(8) says at the same moment."""

import contextlib
import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import harness
from harness import Tcpdrop, read, wait_for

CLONE_NEWNET = 0x40000000  # linux/sched.h
ACK = 0x10
FAR = 0x20000000  # beyond any window
PATIENCE = 10

# A process of its own: obeys one line of JSON at a time, and answers with one.
HOLDER = """
import ctypes, json, os, socket, sys
kept = {}
for line in sys.stdin:
    word, *rest = json.loads(line)
    answer = os.getpid()
    if word == "listen":
        address, only6 = rest
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if ":" in address:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only6)
        s.bind((address, 0))
        s.listen()
        kept["listener"] = s
        answer = s.getsockname()[1]
    elif word == "accept":
        kept["socket"] = kept["listener"].accept()[0]
    elif word == "connect":
        kept["socket"] = socket.create_connection(tuple(rest))
        answer = kept["socket"].getsockname()[1]
    elif word == "many":
        kept["many"] = [open("/dev/null") for _ in range(rest[0])]
    elif word == "rename":
        ctypes.CDLL(None).prctl(15, rest[0].encode(), 0, 0, 0)  # PR_SET_NAME
    elif word == "fork":
        answer = os.fork()
        if not answer:
            os.close(0), os.close(1)
            os.execlp("sleep", "sleep", "1000")
    elif word == "keep":  # over exec
        for s in kept.values():
            s.set_inheritable(True)
    elif word == "drop":
        kept.pop(rest[0]).close()
    elif word == "namespace":
        assert ctypes.CDLL(None).unshare(0x40000000) == 0
    print(json.dumps(answer), flush=True)
"""


class Holder:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", HOLDER], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        self.forked = []

    def ask(self, *words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if words[0] == "fork":
            self.forked.append(answer)
        return answer

    def kill(self):
        for pid in self.forked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def comm(self):
        return read(f"/proc/{self.pid}/comm").rstrip("\n")


def lo_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def segment(source, target, flags):
    """One that no socket accepts: with a header of TCP, and a sequence number far off."""
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    ends = socket.inet_pton(family, source[0]) + socket.inet_pton(family, target[0])
    tcp = struct.pack("!HHIIBBHHH", source[1], target[1], FAR, FAR, 0x50, flags, 512, 0, 0)
    if family == socket.AF_INET6:
        pseudo = ends + struct.pack("!I3xB", len(tcp), socket.IPPROTO_TCP)
        header = struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, 64) + ends
    else:
        pseudo = ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP,
                             0) + ends
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return family, header + tcp


def send(source, target, flags=ACK, times=1):
    family, packet = segment(source, target, flags)
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        for _ in range(times):
            s.sendto(packet, (target[0], 0))


class Asker:
    """A tcpdrop with -o; drop() makes one drop and gives its line."""

    def __init__(self, tap, run):
        self.tap, self.run, self.nulls = tap, run, 0

    def drop(self, source, target, flags=ACK):
        def made():
            return [line for line in self.run.drops() if line["seq"] == FAR
                    and (line["sport"], line["dport"]) == (source[1], target[1])]
        before = len(made())
        send(source, target, flags)
        found = wait_for(lambda: made()[before:], 2)
        return found[0] if found else {}

    def expect(self, name, source, target, owner, state="ESTABLISHED", flags=ACK):
        """owner: (pid, comm) or None. Where one is expected, null may come first: it may take
        several drops to look through /proc."""
        want = owner and {"pid": owner[0], "comm": owner[1]}
        for _ in range(PATIENCE):
            line = self.drop(source, target, flags)
            got = line.get("owner", "no key")
            if got is not None or want is None:
                break
            self.nulls += 1
            time.sleep(0.2)
        self.tap.check(got == want and line.get("state") == state,
                       f"owner: {name}: {state}, {owner and owner[1]}",
                       f"{got}, not {want}: {line}\n{self.run.err()}")
        return line


def by_ss(port, peer=None):
    """Pids that ss(8) names for the socket with this local port, and peer or listening."""
    kind = ["-l"] if peer is None else ["state", "established"]
    words = ["ss", "-Htnp", *kind, f"( sport = :{port} )"]
    if peer is not None:
        words[-1] = f"( sport = :{port} and dport = :{peer} )"
    out = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return set(map(int, re.findall(r"pid=(\d+)", out)))


@contextlib.contextmanager
def holders(number):
    found = [Holder() for _ in range(number)]
    try:
        yield found
    finally:
        for holder in found:
            holder.kill()


def me(holder):
    return holder.pid, holder.comm()


def check_witness(tap, name, holder, port, peer=None):
    told = by_ss(port, peer)
    tap.check(told == {holder.pid}, f"owner: ss names the same process: {name}",
              f"{told}, not {holder.pid}")


def test_connection(tap, asker, address, listening, name):
    """A server, a client and their drops; the listener takes address, the client goes there."""
    with holders(2) as (server, client):
        port = server.ask("listen", listening, False)
        local = client.ask("connect", address, port)
        server.ask("accept")
        near, far = (address, local), (address, port)
        line = asker.expect(f"{name}, the server's end", near, far, me(server))
        tap.check(line.get("pid") not in (server.pid, client.pid),
                  f"owner: {name}: not the process on the CPU", line)
        check_witness(tap, f"{name}, server", server, port, local)
        asker.expect(f"{name}, the client's end", far, near, me(client))
        check_witness(tap, f"{name}, client", client, local, port)
        asker.expect(f"{name}, listener", (address, 1), far, me(server), "LISTEN")
        check_witness(tap, f"{name}, listener", server, port)
        asker.expect(f"{name}, nobody's port", near, (address, 1), None, None)


def test_changes(tap, asker):
    """What was true a moment ago and is no more."""
    here = "127.0.0.1"
    with holders(2) as (server, client):
        port = server.ask("listen", here, False)
        local = client.ask("connect", here, port)
        server.ask("accept")
        ends = (here, local), (here, port)
        asker.expect("before it is renamed", *ends, me(server))
        server.ask("rename", 'a "new\tone')
        time.sleep(0.05)
        asker.expect("renamed", *ends, (server.pid, 'a "new\tone'))
        server.ask("keep")
        child = server.ask("fork")
        wait_for(lambda: read(f"/proc/{child}/comm") == "sleep\n")
        both = by_ss(port, local)
        tap.check(both == {server.pid, child}, "owner: two processes have it open, says ss", both)
        line = asker.drop(*ends)
        tap.check((line.get("owner") or {}).get("pid") == min(both),
                  "owner: shared by two: the lower pid", line)
        server.ask("drop", "socket")
        time.sleep(0.05)
        asker.expect("the first has closed it: the other", *ends, (child, "sleep"))
        os.kill(child, signal.SIGKILL)
        os.waitpid(server.pid, os.WNOHANG)
        wait_for(lambda: not by_ss(port, local))
        line = asker.drop(*ends)
        tap.check(line and line["owner"] is None, "owner: the last has gone: null", line)
        asker.expect("its listener is still known", (here, 1), ends[1],
                     (server.pid, 'a "new\tone'), "LISTEN")
        server.ask("drop", "listener")
        asker.expect("the listener has gone too", (here, 1), ends[1], None, None)


def test_not_accepted(tap, asker):
    here = "127.0.0.1"
    with holders(2) as (server, client):
        port = server.ask("listen", here, False)
        local = client.ask("connect", here, port)
        asker.expect("not accepted yet", (here, local), (here, port), None)
        server.ask("accept")
        time.sleep(1.1)  # what nobody had is looked for again
        asker.expect("accepted", (here, local), (here, port), me(server))


def reuse(pid):
    """A holder with that pid, or None where the kernel does not let us choose."""
    try:
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
            file.write(str(pid - 1))
    except OSError:
        return None
    found = Holder()
    if found.pid == pid:
        return found
    found.kill()
    return None


def test_pid_reused(tap, asker):
    """The number and the descriptor are those of before, the socket is another's."""
    here = "127.0.0.1"
    with holders(2) as (server, client):
        port = server.ask("listen", here, False)
        local = client.ask("connect", here, port)
        server.ask("accept")
        asker.expect("before its pid is another's", (here, port), (here, local), me(client))
        client.kill()
        for _ in range(20):
            second = reuse(client.pid)
            if second:
                break
        if not second:
            tap.skip("owner: a pid that is reused", "the kernel gave another pid")
            return
        try:
            other = second.ask("connect", here, port)
            line = asker.drop((here, port), (here, local))
            tap.check(line and line["owner"] is None and line["state"] != "ESTABLISHED",
                      "owner: its pid is another's, which has a socket too: null", line)
            asker.expect("that other's socket", (here, port), (here, other), me(second))
        finally:
            second.kill()


def test_namespaces(tap, asker):
    """In a network namespace that only those processes are in."""
    with holders(1) as (holder,):
        holder.ask("namespace")
        with contextlib.ExitStack() as stack:
            home = stack.enter_context(open("/proc/self/ns/net", encoding="ascii"))
            there = stack.enter_context(open(f"/proc/{holder.pid}/ns/net", encoding="ascii"))
            libc = ctypes.CDLL(None, use_errno=True)
            stack.callback(lambda: libc.setns(home.fileno(), CLONE_NEWNET))
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
            lo_up()
            number = os.stat("/proc/self/ns/net").st_ino
            port = holder.ask("listen", "::", False)
            line = asker.expect("another network namespace", ("127.0.0.1", 1), ("127.0.0.1", port),
                                me(holder), "LISTEN")
            tap.check(line.get("netns") == number, "owner: that is the namespace of the drop", line)
        # its only socket: one of another namespace would keep that alive
        wait_for(lambda: sockets(asker.run.pid) == 1, 1)
        tap.check(sockets(asker.run.pid) == 1, "owner: the namespace is not held on to",
                  links(asker.run.pid))


def test_pid_namespace(tap):
    """Processes of another one are not seen; ours are, by the numbers they have here."""
    script = ('mount -t proc proc /proc && read -r line && '
              'exec "$0" -oj -c 2 -d 10')
    if not shutil.which("unshare"):
        tap.skip("owner: pid namespace", "no unshare")
        return
    if subprocess.run(["unshare", "--pid", "--fork", "--mount", "true"], capture_output=True,
                      check=False).returncode:
        tap.skip("owner: pid namespace", "no mount namespace of our own, as in a chroot")
        return
    with holders(1) as (outside,):
        port = outside.ask("listen", "127.0.0.1", False)
        run = subprocess.Popen(["unshare", "--pid", "--fork", "--mount", "sh", "-c", script,
                                harness.TCPDROP], text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        inner = f"/proc/{run.pid}/task/{run.pid}/children"
        child = int(wait_for(lambda: read(inner).split())[0])
        run.stdin.write("go\n")
        run.stdin.flush()
        wait_for(lambda: read(f"/proc/{child}/syscall").split()[:1] == [harness.PPOLL])
        for _ in range(2):
            send(("127.0.0.1", 1), ("127.0.0.1", port))
            time.sleep(0.1)
        out, err = run.communicate(timeout=20)
        drops = [line for line in harness.parse_lines(out) if line and line["type"] == "drop"
                 and line["dport"] == port]
        tap.check(drops and all(line["owner"] is None for line in drops),
                  "owner: a process outside of our pid namespace: null", out + err)
        tap.check("outside of this pid namespace: run on the host" in err,
                  "owner: a line says so", err)


def test_text(tap):
    with holders(1) as (server,), Tcpdrop("-oq", name="owner") as run:
        port = server.ask("listen", "127.0.0.1", False)
        send(("127.0.0.1", 1), ("127.0.0.1", 1))
        for _ in range(PATIENCE):
            send(("127.0.0.1", 1), ("127.0.0.1", port))
            if wait_for(lambda: f" {server.pid}/" in run.out(), 0.2):
                break
        run.end()
        header, *lines = run.out().splitlines()
        named = [line for line in lines if f" {server.pid}/python3 " in line]
        tap.check(header.split()[-2:] == ["OWNER", "REASON"] and named
                  and all(line.index(f"{server.pid}/") == header.index("OWNER")
                          for line in named)
                  and any(re.search(r" -  +\S+$", line) for line in lines),
                  "owner: the column OWNER, and - where there is none", run.out())


def test_owner(tap):
    """In a network namespace of our own."""
    lo_up()
    with Tcpdrop("-oj", name="owner") as run:
        asker = Asker(tap, run)
        test_connection(tap, asker, "127.0.0.1", "127.0.0.1", "IPv4")
        test_connection(tap, asker, "::1", "::1", "IPv6")
        test_connection(tap, asker, "127.0.0.1", "::", "IPv4 on a socket of IPv6")
        test_changes(tap, asker)
        test_not_accepted(tap, asker)
        test_pid_reused(tap, asker)
        test_namespaces(tap, asker)
        run.end()
        tap.check(run.process.returncode == 0, "owner: exit status 0", run.err())
        tap.note(f"owner: {asker.nulls} drops more than were needed, until a process was found")
    test_pid_namespace(tap)
    test_text(tap)


def sockets(pid):
    return sum(link.startswith("socket:") for link in links(pid))


def links(pid):
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found
