# SPDX-License-Identifier: MIT
"""What tests/live, tests/errors and tests/vm/matrix share: TAP, the programs,
and a run of tcpdrop whose state is read from /proc instead of guessed."""

import json
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
BUILD = os.path.join(TESTS, "build")
TCPDROP = os.environ.get("TCPDROP", os.path.join(ROOT, "tcpdrop"))
DROPGEN = os.path.join(BUILD, "dropgen")
PEEK = os.path.join(BUILD, "test_peek")
WITHOUT = os.path.join(BUILD, "without")
PPOLL = {"x86_64": "271", "aarch64": "73"}.get(platform.machine())  # asm/unistd.h
PATIENCE = 10


class Tap:
    """Prints a line for each check; end() prints the plan and gives the status."""

    def __init__(self):
        self.number = self.failed = 0

    def check(self, ok, name, why=""):
        self.number += 1
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {self.number} - {clean(name)}", flush=True)
        if not ok:
            self.note(why)
        return ok

    def skip(self, name, cause):
        self.number += 1
        print(f"ok {self.number} - {clean(name)} # SKIP {clean(cause)}", flush=True)

    @staticmethod
    def note(text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)

    def end(self):
        print(f"1..{self.number}", flush=True)
        return 1 if self.failed or not self.number else 0


def clean(text):
    """A name must not hold what TAP reads as a directive."""
    return str(text).replace("#", "No.").replace("\n", " ")


def make_variable(text, name):
    found = re.search(rf"^{name} = (.*)$", text, re.MULTILINE)
    return shlex.split(found.group(1)) if found else []


def build_dropgen():
    folder = os.path.join(TESTS, "dropgen")
    return build_static(DROPGEN,
                        [os.path.join(folder, name) for name in sorted(os.listdir(folder))])


def build_without():
    return build_static(WITHOUT, [os.path.join(TESTS, "without.c")])


def build_peek():
    """As tests/run builds it."""
    done = subprocess.run(["make", "-s", "-f", "tests/unit.mk", os.path.relpath(PEEK, ROOT)],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stderr or "make fails" if done.returncode else None


def build_static(program, files):
    """With the Makefile's own compiler and libc; None or what failed."""
    os.makedirs(BUILD, exist_ok=True)
    if os.path.exists(program) and all(os.path.getmtime(name) < os.path.getmtime(program)
                                       for name in files):
        return None
    asked = "include Makefile\nprint:\n" + "".join(
        f"\t$(info {name} = $({name}))\n"
        for name in ("CC", "MUSL_CFLAGS", "MUSL_LDFLAGS", "MUSL_LIBS")) + "\t@:\n"
    try:
        told = subprocess.run(["make", "-s", "-f", "-", "print"], input=asked, cwd=ROOT, text=True,
                              check=True, capture_output=True).stdout
        new = f"{program}.{os.getpid()}"
        words = make_variable(told, "CC") + ["-std=c11", "-O2", "-Wall", "-Wextra", "-static"]
        words += make_variable(told, "MUSL_CFLAGS") + make_variable(told, "MUSL_LDFLAGS")
        words += ["-o", new, *(name for name in files if name.endswith(".c"))]
        words += make_variable(told, "MUSL_LIBS")
        subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT)
    except subprocess.CalledProcessError as error:
        return error.stderr or str(error)
    except OSError as error:
        return str(error)
    os.rename(new, program)
    return None


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def wait_for(condition, seconds=PATIENCE):
    """Polls; what the condition gave last."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.002)
    return value


def parse_lines(text):
    """JSON lines; a line that is none becomes None."""
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        found.append(value if isinstance(value, dict) else None)
    return found


class Tcpdrop:
    """One run. Its output goes to files, so that it never waits for us."""

    def __init__(self, *arguments, stdout=None, name="live", wait=True, **popen):
        self.out_path = os.path.join(BUILD, f"{name}.{os.getpid()}.out")
        self.err_path = os.path.join(BUILD, f"{name}.{os.getpid()}.err")
        self.started = time.monotonic()
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen([TCPDROP, *arguments], stdin=subprocess.DEVNULL,
                                            stdout=out if stdout is None else stdout, stderr=err,
                                            **popen)
        self.pid = self.process.pid
        if wait:
            self.wait_armed()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for path in (self.out_path, self.err_path):
            os.unlink(path)

    def sleeping(self, forever=False):
        """Is it in the ppoll() of its loop, which comes after everything is attached?"""
        words = read(f"/proc/{self.pid}/syscall").split()
        return words[:1] == [PPOLL] and (not forever or words[3:4] == ["0x0"])

    def wait_armed(self):
        wait_for(lambda: self.sleeping() or self.process.poll() is not None)
        return self.process.poll() is None

    def wait_idle(self, seconds=PATIENCE):
        """Until it sleeps without a time-out."""
        return wait_for(lambda: self.sleeping(True) or self.process.poll() is not None, seconds)

    def status(self, key):
        found = re.search(rf"^{key}:\s*(\d+)", read(f"/proc/{self.pid}/status"), re.MULTILINE)
        return int(found.group(1)) if found else None

    def end(self, number=signal.SIGINT, settle=0.0, seconds=PATIENCE):
        """Sends the signal, after what RCU still owes has come, and waits."""
        if settle:
            time.sleep(settle)
        if number and self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds=PATIENCE):
        """The exit status; None: it did not end."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def out(self):
        return read(self.out_path)

    def err(self):
        return read(self.err_path)

    def lines(self):
        return parse_lines(self.out())

    def drops(self):
        return [line for line in self.lines() if line and line.get("type") == "drop"]

    def end_line(self):
        lines = self.lines()
        return lines[-1] if lines and lines[-1] and lines[-1].get("type") == "end" else {}


def dropgen(*arguments, record=None, seconds=120):
    """Runs the generator; its record, or what it printed, as objects."""
    words = [DROPGEN, *arguments]
    if record:
        words += ["-o", record]
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"dropgen {' '.join(arguments)}: {done.stderr}")
    return parse_lines(read(record) if record else done.stdout)
