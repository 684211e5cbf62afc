"""A database that stands still: its machine answers, it does not; nobody waits for it for ever."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from eventsourcing.persistence import OperationalError

from api.audit.stored import CannotRead, open_events
from domain.refusals import Unavailable
from projections.stores import postgres_store
from projections.stores.patience import LONGER, PatientConnection
from tests.database import QUICK, running_database, standing_still
from tests.facts import ANN, BEN
from tests.node import Node
from tests.workshop import Watch, until

SHORT = "?options=-c%20statement_timeout%3D200ms"


@pytest.fixture
def server():
    """One of our own, since others need theirs to answer."""
    with running_database(**QUICK) as database:
        yield database


@pytest.fixture
def node(server, tmp_path):
    """A node that has asked its database something, and holds connections."""
    node = Node(server.url() + SHORT, tmp_path)
    with node.log.turns(ANN):
        node.story.create(ANN)
    assert node.queries.tasks(ANN).count == 1
    yield node
    node.close()


def test_a_server_that_stands_still_is_given_up_and_then_it_goes_on(server, node):
    for ask in (node.story.create, lambda: node.queries.tasks(ANN)):
        with standing_still(server), pytest.raises(Unavailable):
            ask()
        until(lambda: answers(node), "it goes on")
    before = node.queries.tasks(BEN).count
    node.story.create(BEN)
    assert node.queries.tasks(BEN).count == before + 1


def test_what_it_was_sent_may_be_done_when_it_goes_on_though_it_was_given_up(
    server, node, monkeypatch
):
    recorder = node.log.recorder
    insert = recorder.insert_events

    def standing(events):
        server.freeze()
        return insert(events)

    monkeypatch.setattr(recorder, "insert_events", standing)
    with pytest.raises(Unavailable):
        node.story.create(ANN)
    monkeypatch.undo()
    server.thaw()
    until(lambda: answers(node) and node.queries.tasks(ANN).count == 2, "it is done")


def test_once_it_was_given_up_nobody_else_waits_until_the_pause_is_over(server, node, monkeypatch):
    watch = Watch()
    monkeypatch.setattr(postgres_store, "monotonic", watch)
    with standing_still(server):
        for _ in range(20):
            with pytest.raises(OperationalError, match="wait timeout"):
                node.log.recorder.max_notification_id()
    watch.pass_by(postgres_store.PAUSE_MOST)
    assert node.log.recorder.max_notification_id()


def test_while_one_asks_a_server_that_is_away_the_others_do_not_wait_for_that(node):
    store = node.log.recorder.datastore
    store.close()
    store._pause, store._failure = 0.05, "away"
    with store._connecting, pytest.raises(OperationalError, match="away"):
        node.log.recorder.max_notification_id()
    assert node.log.recorder.max_notification_id()


def test_a_server_that_falls_silent_while_a_log_is_read_is_given_up(server, node, monkeypatch):
    monkeypatch.setattr(postgres_store, "SILENT_SECONDS", 0.2)
    with open_events(server.url()) as events:
        pages = events.pages()
        assert next(pages)
        with standing_still(server), pytest.raises(CannotRead, match="wait timeout"):
            next(pages)


def test_a_copy_of_a_whole_log_has_the_time_that_its_address_gives_it(server):
    with (
        closing(postgres_store.connect_unhurried(server.url() + SHORT)) as connection,
        pytest.raises(psycopg.errors.QueryCanceled),
    ):
        connection.execute("SELECT pg_sleep(60)")


def answers(node):
    try:
        return node.queries.tasks(ANN)
    except Unavailable:
        return None


def test_no_turn_is_waited_for_while_the_server_stands_still(server, node):
    with standing_still(server), node.log.turns(BEN):
        assert node.log.turns._connection is None


def test_a_connection_learns_how_long_the_server_takes_at_most(server):
    for given, patience in (("200ms", 0.2 + LONGER), ("3s", 3 + LONGER), ("0", None)):
        url = f"{server.url()}?options=-c%20statement_timeout%3D{given}"
        with PatientConnection.connect(url, row_factory=psycopg.rows.dict_row) as connection:
            connection.learn()
            assert connection.patience == patience


def test_what_must_take_its_time_may_take_longer_than_both_wait(server):
    url = server.url() + SHORT
    rows = psycopg.rows.dict_row
    with PatientConnection.connect(url, autocommit=True, row_factory=rows) as connection:
        connection.learn()
        connection.patience = before = 0.1
        sleep = "SELECT pg_sleep(0.5)"
        with connection.transaction(), connection.taking_time():
            assert connection.execute(sleep).fetchall()
        assert connection.patience == before
        with pytest.raises(psycopg.OperationalError):
            connection.execute(sleep)
        assert connection.closed
