"""Installs the clients once, each at its pinned version: a Python environment per requirements file, and Node's packages.

What is there already is left alone until its list changes. Only pip and npm are asked, as the machine has them set up.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.join(os.path.dirname(os.path.dirname(HERE)), "target", "clients")
REQUIREMENTS = os.path.join(HERE, "python", "requirements")
JAVASCRIPT = os.path.join(HERE, "js")


def interpreter(row):
    """What runs a row's program; installed if it is not there yet."""
    if row.program.endswith(".mjs"):
        return os.path.join(JAVASCRIPT, "node_modules", ".bin", "node")
    return sys.executable if row.pinned == "js" else os.path.join(HOME, "python", row.pinned, "bin", "python")


def version(row):
    """The pinned version of a row's package."""
    if row.pinned == "js":
        text = read(os.path.join(JAVASCRIPT, "package.json"))
        return re.search(rf'"{re.escape(row.package)}": "([^"]+)"', text)[1]
    return re.search(rf"(?m)^{re.escape(row.package)}==(\S+)$", read(os.path.join(REQUIREMENTS, f"{row.pinned}.txt")))[1]


def install(rows):
    """Everything that the rows need."""
    for pinned in sorted({row.pinned for row in rows} - {"js"}):
        environment(pinned)
    if any(row.pinned == "js" for row in rows):
        node_packages()


def environment(name):
    folder, wanted = os.path.join(HOME, "python", name), os.path.join(REQUIREMENTS, f"{name}.txt")
    if stamped(folder, wanted):
        return
    print(f"installing {name}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = os.path.join(folder, "bin", "pip")
    subprocess.run([pip, "install", "--quiet", "--no-deps", "--requirement", wanted], check=True)
    stamp(folder, wanted)


def node_packages():
    folder, wanted = os.path.join(JAVASCRIPT, "node_modules"), os.path.join(JAVASCRIPT, "package-lock.json")
    if stamped(folder, wanted):
        return
    print("installing the JavaScript clients", flush=True)
    # The packages want a newer Node than the machine's, which only installs here: Node is one of them.
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=JAVASCRIPT, check=True)
    stamp(folder, wanted)


def stamped(folder, wanted):
    path = os.path.join(folder, ".installed")
    return os.path.exists(path) and read(path) == digest(wanted)


def stamp(folder, wanted):
    with open(os.path.join(folder, ".installed"), "w") as file:
        file.write(digest(wanted))


def digest(path):
    return hashlib.sha256(read(path).encode()).hexdigest()


def read(path):
    with open(path) as file:
        return file.read()
