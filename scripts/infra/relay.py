"""A TCP relay that can go silent: connections stay open and nothing passes, as when a firewall drops packets.

Every connection is two threads, which is enough for a scenario and easy to read.
"""

import contextlib
import socket
import threading

from roots import free_port


class Relay:
    """Listens on a port of its own and passes on to a target, which may be changed for the connections that come."""

    def __init__(self, target_port):
        self.target_port, self.port = target_port, free_port()
        self.passing = threading.Event()
        self.passing.set()
        self.stopped = False
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        threading.Thread(target=self.accept, daemon=True).start()

    def silence(self):
        """From now on nothing passes, in either direction; connections are taken and never answered."""
        self.passing.clear()

    def heal(self):
        """What was held back passes."""
        self.passing.set()

    def break_all(self):
        """Closes every connection."""
        for one in list(self.sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.stopped = True
        self.passing.set()
        # Wakes the thread that accepts, which a mere close would not.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.break_all()

    def accept(self):
        while not self.stopped:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.add(client)
            threading.Thread(target=self.connect, args=(client,), daemon=True).start()

    def connect(self, client):
        self.passing.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port), 10)
        except OSError:
            self.close(client)
            return
        server.settimeout(None)
        self.sockets.add(server)
        threading.Thread(target=self.copy, args=(client, server), daemon=True).start()
        self.copy(server, client)

    def copy(self, source, sink):
        try:
            while part := source.recv(65_536):
                self.passing.wait()
                sink.sendall(part)
        except OSError:
            pass
        self.passing.wait()
        self.close(source)
        self.close(sink)

    def close(self, one):
        self.sockets.discard(one)
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
