"""The scenarios, in the order in which they run, and the roots they run in."""

from collections.abc import Callable
from dataclasses import dataclass

import access
import jobs
import loss
import outages
import own_tests

BOTH = ("trixie", "sid")


@dataclass(frozen=True)
class Scenario:
    """One scenario: it says what is wrong, a line for each."""

    name: str
    run: Callable
    suites: tuple = BOTH


SCENARIOS = [
    Scenario("main-job", jobs.main_job),
    Scenario("failing-handler", jobs.failing_handler),
    Scenario("empty-broker", loss.empty_broker),
    Scenario("queues-deleted", loss.queues_deleted),
    Scenario("broker-node-dies", access.dead_node),
    Scenario("silent-database", outages.silent_link),
    Scenario("read-only-database", outages.read_only),
    Scenario("hot-standby", outages.hot_standby),
    Scenario("old-sessions", outages.old_sessions),
    Scenario("host-list", outages.host_list),
    Scenario("tls", access.tls),
    Scenario("pooled-sessions", access.pooled_sessions),
    Scenario("deaf-pooler", access.deaf_pooler),
    Scenario("pooled-transactions", access.pooled_transactions),
    Scenario("unsaid-transactions", access.unsaid_transactions),
    Scenario("modest-login", access.modest_login),
    Scenario("odd-password", access.odd_password),
    Scenario("bus-conformance", own_tests.bus_conformance),
    Scenario("chaos", own_tests.chaos),
]
