"""A system root that debootstrap made (roots.sh), and programs that run in it.

Each program that stays gets mounts and process numbers of its own, so that all it started ends with it, however it ends, and nothing
stays mounted. They share the machine's network: everything listens on the loopback. The folder of the run is /infra inside.
"""

import os
import random
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INFRA = os.path.join(ROOT, "target", "infra")
INSIDE = "/infra"
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

ENTER = """
mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/tmp" && mount -t tmpfs tmpfs "$1/run" || exit 97
mkdir -p "$1/infra" && mount --bind "$2" "$1/infra" || exit 97
root=$1 user=$3
shift 3
# Once more in there: whoever becomes another user is no longer told that its parent has died.
exec chroot --userspec="$user" "$root" setpriv --pdeathsig KILL -- "$@"
"""
# Ends with the run, also when that is killed: never start one from a thread that ends before.
WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
OWN = (*WITH_US, "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")


class Root:
    """One root, with the run's folder in it."""

    def __init__(self, suite, home):
        self.home = home
        self.path = os.path.join(INFRA, "roots", suite)

    def start(self, log, arguments, user="root", environment=None):
        """Starts a program that stays."""
        with open(os.path.join(self.home, log), "ab") as output:
            return Program(
                subprocess.Popen(
                    [*OWN, "--", "sh", "-c", ENTER, "sh", self.path, self.home, user, *arguments],
                    env={**PATH, **(environment or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                ),
                os.path.join(self.home, log),
            )

    def run(self, arguments, user="root", environment=None):
        """Runs a program to its end and says what it printed."""
        done = subprocess.run(
            [*OWN, "--", "sh", "-c", ENTER, "sh", self.path, self.home, user, *arguments],
            env={**PATH, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def folder(self, name, user="root"):
        """A folder of a service, which its user owns: its paths outside and inside."""
        os.makedirs(os.path.join(self.home, name), exist_ok=True)
        self.run(["chown", "-R", f"{user}:", f"{INSIDE}/{name}"])
        return os.path.join(self.home, name), f"{INSIDE}/{name}"


class Program:
    """A program in a root, with everything it started."""

    def __init__(self, process, log):
        self.process, self.log = process, log

    def kill(self):
        """Ends all of it at once, as kill -9 would: the first of its process numbers takes the others along."""
        self.send(signal.SIGKILL)
        # All of them are gone when it is.
        self.process.wait(30)

    def send(self, number):
        """Sends a signal to the program itself, if it still runs."""
        if self.process.poll() is not None:
            return
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
            for child in children.read().split()[:1]:
                os.kill(int(child), number)

    def end(self, number=signal.SIGTERM, seconds=30):
        """Asks it to end, and ends it when it does not."""
        if self.process.poll() is None:
            self.send(number)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def said(self, size=1500):
        with open(self.log, "rb") as log:
            return log.read()[-size:].decode(errors="replace")


def free_port():
    """One that nobody listens on, below those that systems give to outgoing connections: it stays free while its server is away."""
    for _ in range(1000):
        port = random.randrange(10_240, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


def until(what, condition, seconds=90, pause=0.1):
    """Waits for a condition, with a deadline; how long it took. A condition that raises does not hold yet."""
    begun, why = time.monotonic(), None
    while True:
        try:
            if condition():
                return time.monotonic() - begun
            why = None
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            why = error
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"not within {seconds} s: {what}" + (f" ({why})" if why else ""))
        time.sleep(pause)
