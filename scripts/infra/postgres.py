"""A private PostgreSQL from a root: its cluster, its logins, its ways of failing."""

import os
import signal
import socket
import subprocess

from roots import PATH, free_port, until

# The login that Keyway gets: it owns its database, is no superuser, and may take on the two roles, as docs/databases.md asks.
LOGIN, PASSWORD = "keyway", "infra-password"


class Postgres:
    """One server with the database `keyway`, in which nothing is kept across runs."""

    def __init__(self, root, name, settings=None):
        self.root, self.name, self.port = root, name, free_port()
        self.outside, self.inside = root.folder(name, "postgres")
        self.programs = programs(root)
        self.settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "wal_level": "replica",
            **(settings or {}),
        }
        self.program = None

    def create(self):
        """Makes an empty cluster, starts it, and makes the login and its database."""
        make = [f"{self.programs}/initdb", "--no-sync", "--auth=trust", "--auth-host=scram-sha-256", "--username=postgres", "--encoding=UTF8"]
        self.root.run([*make, "--locale=C", "-D", f"{self.inside}/data"], "postgres")
        # The superuser is this script's own, everybody else has a password.
        self.access("host all postgres 127.0.0.1/32 trust\nhost replication postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.start()
        self.sql(f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{PASSWORD}'", "postgres")
        for role in ("keyway_app", "keyway_system"):
            self.sql(f"CREATE ROLE {role} NOLOGIN NOINHERIT NOBYPASSRLS", "postgres")
            self.sql(f"GRANT {role} TO {LOGIN} WITH SET TRUE, INHERIT FALSE", "postgres")
        self.sql(f"CREATE DATABASE keyway OWNER {LOGIN}", "postgres")
        return self

    def access(self, lines):
        """Replaces the list of who may connect; call `reload` when the server runs."""
        with open(os.path.join(self.outside, "data", "pg_hba.conf"), "w", encoding="ascii") as file:
            file.write(lines)

    def start(self, await_it=True):
        settings = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        log = os.path.join(self.name, "log")
        self.program = self.root.start(log, [f"{self.programs}/postgres", "-D", f"{self.inside}/data", *settings], "postgres")
        if await_it:
            self.await_ready()

    def await_ready(self):
        until("PostgreSQL serves", lambda: self.sql("SELECT 1", "postgres") == "1", 60)

    def stop(self):
        """A fast stop: connections are broken off, nothing is lost."""
        self.program.end(signal.SIGINT)

    def kill(self):
        self.program.kill()

    def sql(self, statement, database="keyway"):
        """What a statement of the superuser returns, as psql prints it: a line for a row, | between columns."""
        done = subprocess.run(
            [*self.psql(database), "-c", statement], capture_output=True, text=True, check=False, env={**PATH, "PGCONNECT_TIMEOUT": "5"}, timeout=60
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def psql(self, database="keyway"):
        """The command line of a psql of the superuser."""
        line = ["chroot", self.root.path, f"{self.programs}/psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1"]
        return [*line, "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database]

    def hold(self, statement):
        """A transaction that has run a statement and stays open, until `release`."""
        session = subprocess.Popen(
            self.psql(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1, env=PATH
        )
        session.stdin.write(f"BEGIN;\n{statement};\n\\echo held\n")
        session.stdin.flush()
        if (said := session.stdout.readline().strip()) != "held":
            raise RuntimeError(said)
        return session

    def configure(self, name, value):
        """Changes a setting of the running server."""
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'", "postgres")
        self.sql("SELECT pg_reload_conf()", "postgres")

    def standby(self, name):
        """A second server that follows this one; not started yet."""
        follower = Postgres(self.root, name, {})
        copy = [f"{self.programs}/pg_basebackup", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-R", "-c", "fast"]
        self.root.run([*copy, "-D", f"{follower.inside}/data"], "postgres")
        return follower

    def promote(self):
        """Makes a standby the one that writes."""
        self.sql("SELECT pg_promote(wait => true, wait_seconds => 60)", "postgres")

    def url(self, port=None, host="127.0.0.1", login=LOGIN, password=PASSWORD, options=""):
        return f"postgres://{login}:{password}@{host}:{port or self.port}/keyway{options}"


class Pooler:
    """A private PgBouncer before a server."""

    def __init__(self, root, name, postgres, mode, settings):
        self.root, self.port = root, free_port()
        outside, inside = root.folder(name, "postgres")
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": f"{inside}/users",
            "pool_mode": mode,
            "default_pool_size": "100",
            "max_client_conn": "500",
            **settings,
        }
        with open(os.path.join(outside, "users"), "w", encoding="ascii") as users:
            users.write(f'"{LOGIN}" "{PASSWORD}"\n')
        with open(os.path.join(outside, "pgbouncer.ini"), "w", encoding="ascii") as file:
            file.write(f"[databases]\nkeyway = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\n")
            file.writelines(f"{key} = {value}\n" for key, value in lines.items())
        self.program = root.start(os.path.join(name, "log"), ["/usr/sbin/pgbouncer", f"{inside}/pgbouncer.ini"], "postgres")
        until("PgBouncer serves", lambda: listens(self.port), 30)

    def stop(self):
        self.program.kill()


def listens(port):
    with socket.create_connection(("127.0.0.1", port), 2):
        return True


def programs(root):
    """Where the programs of a root's server are, inside."""
    (version,) = os.listdir(os.path.join(root.path, "usr/lib/postgresql"))
    return f"/usr/lib/postgresql/{version}/bin"


def version(root):
    """As in: postgres (PostgreSQL) 17.12 (Debian 17.12-0+deb13u1)."""
    return root.run([f"{programs(root)}/postgres", "--version"], "postgres").split()[2]
