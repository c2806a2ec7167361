"""Where a scenario happens: services of one root and an installation of Keyway on them, all ended when it is over."""

import os
import shutil

from keyway import Keyway, Simulator
from load import Clients, Ledger
from postgres import Postgres, version
from rabbitmq import Names, Rabbit
from relay import Relay
from roots import Root


class Ground:
    """What all scenarios of a root share: a broker that nobody breaks, the provider, the register of nodes."""

    def __init__(self, suite, home):
        self.home = os.path.join(home, suite)
        os.makedirs(self.home)
        self.root = Root(suite, self.home)
        self.names = Names(self.root)
        self.broker = Rabbit(self.root, self.names, "shared").start()
        self.simulator = Simulator(self.home)
        self.rabbitmq, self.postgresql = self.broker.version(), version(self.root)

    def stop(self):
        self.simulator.stop()
        self.broker.kill()
        self.names.stop()


class Place:
    """One scenario's services. What it starts itself, it hands to `ends`, to be ended with it."""

    def __init__(self, ground, scenario):
        self.ground, self.root, self.scenario = ground, ground.root, scenario
        self.home = os.path.join(ground.home, scenario)
        os.makedirs(self.home)
        self.open = []
        self.notes = []
        self.broker = ground.broker
        self.vhost = self.broker.vhost()
        self.postgres = self.database("postgres")
        self.ledger = Ledger()

    def database(self, name, settings=None):
        """A PostgreSQL of the scenario's own."""
        server = Postgres(self.root, f"{self.scenario}/{name}", settings)
        self.open.append(lambda: server.program and server.kill())
        return server.create()

    def own_broker(self, lines=()):
        """A RabbitMQ of the scenario's own, which it may break."""
        self.broker = Rabbit(self.root, self.ground.names, "own", f"{self.scenario}/broker", lines).start()
        self.open.append(self.broker.kill)
        self.vhost = self.broker.vhost()
        return self.broker

    def ends(self, thing, by="stop"):
        self.open.append(getattr(thing, by))
        return thing

    def relay(self, port):
        return self.ends(Relay(port))

    def keyway(self, database_url=None, amqp_url=None, provider_port=None, settings=None, name="keyway"):
        """An installation, not prepared and not started."""
        made = Keyway(
            self.home,
            name,
            database_url or self.postgres.url(),
            amqp_url or self.broker.url(self.vhost),
            self.ground.simulator,
            provider_port,
            settings,
        )
        return self.ends(made)

    def clients(self, keyway):
        return Clients(keyway, self.ledger)

    def note(self, text):
        """Something to be read beside the result."""
        self.notes.append(text)

    def close(self, keep):
        for end in reversed(self.open):
            end()
        if not keep:
            shutil.rmtree(self.home, ignore_errors=True)
