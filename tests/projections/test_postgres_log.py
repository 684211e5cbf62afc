"""The event store for many machines: away and back, cut off, held up, and never misread."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import timedelta, timezone
from pathlib import Path
from signal import SIGSTOP
from threading import Barrier, Thread

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, OperationalError

from domain.conditions import OwnerId
from domain.refusals import Unavailable
from projections.follower import LogAltered
from projections.log import CannotOpen, open_log
from projections.stores import postgres_recorder, postgres_store
from projections.stores.advisory_turns import SPACE
from projections.stores.database_clock import FRESH_SECONDS, DatabaseClock
from projections.stores.postgres_store import CONNECTIONS, PAUSE_MOST
from tests.altered import alter
from tests.database import QUICK, free_port, running_database
from tests.facts import ANN, BEN, NOON, OPERATOR, Story
from tests.node import Node
from tests.proxy import Proxy
from tests.workshop import Watch, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def events_url(database):
    """This store alone."""
    return database.fresh()


@pytest.fixture
def wire(database):
    """A wire to the server that can be cut."""
    proxy = Proxy(database.port)
    yield proxy
    proxy.close()


@pytest.fixture
def far(events_url, database, wire, tmp_path):
    """A node whose log is at the other end of the wire."""
    url = events_url.replace(f":{database.port}/", f":{wire.port}/")
    far = Node(url, tmp_path / "far")
    yield far
    far.close()


# How it is named


@pytest.mark.parametrize("url", ["u:sec/ret@h/d", "u:sec?ret@h/d", "u:sec@ret@h/d", "h/d?sec=1"])
def test_a_url_that_cannot_be_understood_is_refused_without_its_password(url):
    with pytest.raises(CannotOpen, match="%XX") as refused:
        open_log(f"postgresql://{url}")
    assert "sec" not in str(refused.value).replace("?sec=1", "")
    assert refused.value.__cause__ is None


def test_a_server_that_cannot_be_reached_is_refused_without_its_password():
    with pytest.raises(CannotOpen, match=r"cannot be opened: .*refused") as refused:
        open_log(f"postgresql://u:secret@127.0.0.1:{free_port()}/d")
    assert "secret" not in f"{refused.value} {refused.value.__cause__}"


def test_a_schema_that_is_not_there_is_refused(database):
    with pytest.raises(CannotOpen, match="schema"):
        open_log(f"{database.url()}?options=-csearch_path%3Dnowhere")


def test_a_log_that_is_there_needs_no_right_to_make_one(database, events_url):
    with closing(open_log(events_url)) as log:
        Story(log.recorder).limits()
    schema = events_url.rpartition("%3D")[2]
    role = f"may_{schema}"
    database.execute(f"CREATE ROLE {role} LOGIN")
    database.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    rights = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES"
    database.execute(f"GRANT {rights} IN SCHEMA {schema} TO {role}")
    database.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}")
    with closing(open_log(events_url.replace("postgres@", f"{role}@"))) as log:
        story = Story(log.recorder)
        story.create()
        assert story.told() == ["limits.set", "owner.admitted", "task.created"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("", ("5s", "3s", "2s", "export-tasks", "on")),
        (" -c statement_timeout=7s", ("7s", "3s", "2s", "export-tasks", "on")),
        (" -c synchronous_commit=off", ("5s", "3s", "2s", "export-tasks", "on")),
        (
            " -c synchronous_commit=remote_write",
            ("5s", "3s", "2s", "export-tasks", "remote_write"),
        ),
    ],
)
def test_every_session_has_its_time_outs_and_commits_to_disk(events_url, given, shown):
    names = (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "application_name",
        "synchronous_commit",
    )
    url = events_url + given.replace(" ", "%20").replace("=", "%3D")
    with closing(open_log(url)) as log, log.reading() as cursor:
        found = []
        for name in names:
            cursor.execute(f"SHOW {name}")
            found.append(cursor.fetchone()[name])
    assert tuple(found) == shown


# Away, and back


def test_while_the_database_is_away_everything_is_unavailable_and_then_it_goes_on(tmp_path):
    with running_database(**QUICK) as database:
        node = Node(database.url(), tmp_path / "read")
        node.story.create()
        assert node.queries.tasks(ANN).count == 1
        for end in (database.kill, database.stop):
            end()
            for ask in (node.story.create, lambda: node.queries.tasks(ANN), later(node.log.clock)):
                with pytest.raises(Unavailable):
                    ask()
            database.start()
            until(lambda: answers(node), "the database is back")
            before = node.queries.tasks(ANN).count
            node.story.create(BEN)
            node.story.create(ANN)
            assert node.queries.tasks(ANN).count == before + 1
            assert node.log.clock()
        node.close()


def later(clock):
    """The clock after it was last asked long ago."""

    def asked():
        clock._known = None
        return clock()

    return asked


def answers(node):
    try:
        return node.queries.tasks(ANN)
    except Unavailable:
        return None


def test_a_restart_that_nobody_met_is_met_by_nobody_afterwards(tmp_path):
    """Connections that died while they were idle are made anew by the first question."""
    with running_database(**QUICK) as database:
        node = Node(database.url(), tmp_path / "read")
        busy(node.log, 4)
        database.kill()
        database.start()
        node.story.create()
        assert node.queries.tasks(ANN).count == 1
        node.close()


def busy(log, number):
    """Uses so many connections at once."""
    ready = Barrier(number)

    def use():
        with log.reading() as cursor:
            cursor.execute("SELECT 1")
            ready.wait()

    threads = [Thread(target=use) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_server_that_is_away_is_asked_after_pauses_that_double(far, wire, monkeypatch):
    watch = Watch()
    monkeypatch.setattr(postgres_store, "monotonic", watch)
    monkeypatch.setattr(postgres_store, "random", lambda: 0.5)
    wire.away = True
    ask(far)  # by the connection that there was, and then by a new one
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8, PAUSE_MOST, PAUSE_MOST):
        watch.pass_by(pause + 0.001)
        made = wire.connections
        assert [ask(far) for _ in range(9)] == ["away"] * 9
        assert wire.connections == made + 1
    wire.away = False
    watch.pass_by(PAUSE_MOST)
    until(lambda: ask(far) == "there", "the wire is mended")
    assert far.log.recorder.datastore._pause == 0


def ask(node):
    try:
        node.log.recorder.max_notification_id()
    except OperationalError:
        return "away"
    return "there"


@pytest.mark.parametrize(("chance", "still", "over"), [(0.0, 0.024, 0.026), (1.0, 0.074, 0.076)])
def test_pauses_differ_so_that_nodes_do_not_come_back_together(
    far, wire, monkeypatch, chance, still, over
):
    watch = Watch()
    monkeypatch.setattr(postgres_store, "monotonic", watch)
    monkeypatch.setattr(postgres_store, "random", lambda: chance)
    wire.away = True
    ask(far)
    made, began = wire.connections, watch.now
    for seconds, more in ((still, 0), (over, 1)):
        watch.now = began + seconds
        ask(far)
        assert wire.connections == made + more


def test_there_are_never_more_connections_than_allowed(node, monkeypatch):
    monkeypatch.setattr(postgres_store, "WAIT_SECONDS", 0.05)
    busy(node.log, CONNECTIONS)
    refused = []
    ready = Barrier(CONNECTIONS + 1)

    def hold():
        with node.log.reading():
            ready.wait()
            ready.wait()

    threads = [Thread(target=hold) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    ready.wait()
    try:
        node.log.recorder.max_notification_id()
    except OperationalError as error:
        refused.append(str(error))
    ready.wait()
    for thread in threads:
        thread.join()
    assert refused == ["all connections to the event store are in use"]
    assert node.log.recorder.max_notification_id() is None


def test_connections_that_nobody_needs_are_given_back(node, monkeypatch):
    busy(node.log, 4)
    store = node.log.recorder.datastore
    assert len(store._idle) == 4
    node.log.recorder.max_notification_id()
    assert len(store._idle) == 4
    monkeypatch.setattr(postgres_store, "IDLE_SECONDS", 0.0)
    node.log.recorder.max_notification_id()
    assert len(store._idle) <= 1


def test_a_connection_left_in_a_transaction_is_not_used_again(node):
    store = node.log.recorder.datastore
    with store.get_connection() as connection:
        connection.execute("BEGIN")
    assert connection.closed
    assert node.log.recorder.max_notification_id() is None


# A lost answer is not a lost event


def test_an_answer_lost_after_the_commit_is_found_in_the_log(far, wire):
    far.story.create()
    wire.cut(b"INSERT INTO stored_events", "after it was done")
    task = far.story.create()
    assert wire.happened.is_set()
    assert far.story.told().count("task.created") == 2
    assert far.story.ledger.task(task.task_id)


def test_a_request_lost_before_the_commit_did_not_happen(far, wire):
    far.story.create()
    wire.cut(b"INSERT INTO stored_events", "before it is sent")
    with pytest.raises(Unavailable):
        far.story.create()
    assert wire.happened.is_set()
    assert far.story.told().count("task.created") == 1


def test_an_answer_lost_with_the_whole_wire_is_found_once_it_is_mended(far, wire):
    far.story.create()
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        wire.away = False
        until(lambda: answers(far) is not None, "the wire is mended")

    far.story.journal._pause = pause
    wire.cut(b"INSERT INTO stored_events", "after it was done", stay_away=True)
    task = far.story.create()
    assert len(pauses) == 1
    assert far.story.told().count("task.created") == 2
    assert far.story.ledger.task(task.task_id)


def test_a_result_whose_answer_was_lost_is_recorded_once(far, wire):
    task = far.story.create()
    wire.cut(b"task.completed", "after it was done")
    file = far.story.complete(task)
    assert wire.happened.is_set()
    assert far.story.told().count("task.completed") == 1
    assert far.story.ledger.task(task.task_id).file == file


# Turns


HOLDER = """
import sys, time
from projections.log import open_log
from tests.facts import ANN

log = open_log(sys.argv[1])
with log.turns(ANN):
    print("mine", flush=True)
    time.sleep(600)
"""
TURNS_HELD = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = {SPACE}"


def test_a_stopped_process_that_has_the_turn_freezes_nobody(node, events_url, database):
    command = [sys.executable, "-c", HOLDER, events_url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"mine\n"
        process.send_signal(SIGSTOP)
        try:
            with node.log.turns(ANN):
                assert node.log.turns._connection  # it asked
                assert database.execute(TURNS_HELD) == [(1,)]  # and went on without
            with node.log.turns(BEN):
                assert database.execute(TURNS_HELD) == [(2,)]
        finally:
            process.kill()
    until(lambda: database.execute(TURNS_HELD) == [(0,)], "the dead give their turns back")
    with node.log.turns(ANN):
        assert database.execute(TURNS_HELD) == [(1,)]
    assert database.execute(TURNS_HELD) == [(0,)]


def test_turns_of_one_process_are_not_waited_for_for_ever_either(node, monkeypatch):
    monkeypatch.setattr("projections.stores.advisory_turns.TURN_SECONDS", 0.02)
    with node.log.turns(ANN), node.log.turns(ANN):
        pass


def test_turns_whose_connection_is_busy_are_not_waited_for_for_ever_either(node, monkeypatch):
    monkeypatch.setattr("projections.stores.advisory_turns.TURN_SECONDS", 0.02)
    with node.log.turns._asking, node.log.turns(ANN):
        assert node.log.turns._connection is None


def test_turns_take_no_connection_of_the_writers(node):
    """So many owners' turns as there are connections, each with a write of its own within."""
    ready, done = Barrier(CONNECTIONS), []

    def write(number):
        story = Story(node.log.recorder, seed=number)
        with node.log.turns(owner(number)):
            ready.wait()
            done.append(story.create(owner(number)))

    threads = [Thread(target=write, args=[number]) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == CONNECTIONS


def owner(number):
    return OwnerId("p1", f"user-{number}")


def test_where_no_turn_can_be_had_the_writers_go_on_without(far, wire):
    with far.log.turns(ANN):
        wire.away = True
        with pytest.raises(Unavailable):
            far.story.create()
    with far.log.turns(ANN):
        assert far.log.turns._connection is None
    wire.away = False
    until(lambda: answers(far) is not None, "the wire is mended")
    with far.log.turns(ANN):
        assert far.log.turns._connection


def test_a_turn_whose_connection_was_lost_is_not_given_back_over_another(far, wire, database):
    with far.log.turns(ANN):
        far.log.turns.close()
        with far.log.turns(BEN):
            held = database.execute(TURNS_HELD)
    assert held == [(1,)]
    assert far.log.turns._connection


# Whoever stops in the middle


def test_a_writer_that_stops_in_the_middle_loses_its_lock(node, events_url):
    """Of events that cannot be: lock, insert and commit are one message."""
    quick = open_log(f"{events_url}%20-c%20idle_in_transaction_session_timeout%3D50ms")
    goes_on = Barrier(2)

    lost = []

    def stop():
        try:
            with quick.writing():
                goes_on.wait()
                goes_on.wait()
        except OperationalError as error:
            lost.append(error)

    thread = Thread(target=stop)
    thread.start()
    goes_on.wait()
    with node.log.writing() as cursor:
        cursor.execute("CREATE TABLE mine (name TEXT)")
    goes_on.wait()
    thread.join()
    assert lost
    quick.close()


def test_a_lock_that_is_not_given_back_is_not_waited_for_for_ever(node, events_url):
    quick = open_log(f"{events_url}%20-c%20lock_timeout%3D50ms")
    node.story.create()
    stored = node.log.recorder.select_notifications(None, 10)
    with closing(psycopg.connect(events_url)) as other:
        other.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        with pytest.raises(OperationalError, match="lock timeout"):
            quick.recorder.insert_events(stored)
        assert quick.recorder.select_notifications(None, 10) == stored
    quick.close()


# Positions


def test_a_conflict_spends_numbers_and_nobody_waits_for_them(node, story):
    story.limits()
    stored = node.log.recorder.select_notifications(None, 10)
    for _ in range(3):
        with pytest.raises(IntegrityError):
            node.log.recorder.insert_events(stored)
    story.create()
    assert [event.id for event in node.log.recorder.select_notifications(None, 10)] == [1, 5, 6]
    assert node.queries.tasks(ANN).count == 1
    at = node.follower.position()
    assert (at.position, at.count, at.seal.count) == (6, 3, 3)


HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock(7, 7); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE INSERT ON stored_events FOR EACH ROW WHEN (NEW.topic = 'limits.set')
EXECUTE FUNCTION hold()
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = '{}'"


@pytest.mark.parametrize(("lock", "seen"), [(postgres_recorder.LOCK, 3), ("SELECT 1", 2)])
def test_no_reader_passes_over_an_event_that_may_still_appear(
    node, events_url, database, monkeypatch, lock, seen
):
    """And without the table's lock it does: the slow writer has drawn the smaller number."""
    monkeypatch.setattr(postgres_recorder, "LOCK", lock)
    alter(node.log, HOLD)
    slow = Thread(target=Story(node.log.recorder).limits)
    quick = Thread(target=Story(node.log.recorder).create)
    with closing(psycopg.connect(events_url)) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(7, 7)")
        slow.start()
        until(lambda: database.execute(WAITING.format("advisory")) == [(1,)], "it is held")
        quick.start()
        until(
            lambda: not quick.is_alive() or database.execute(WAITING.format("relation")) == [(1,)],
            "the quick one is done, or waits",
        )
        node.queries.tasks(ANN)
    slow.join()
    quick.join()
    assert node.queries.tasks(ANN).count == 1
    assert len(node.log.recorder.select_notifications(None, 10)) == 3
    assert node.follower.position().count == seen


def test_an_older_backup_without_a_new_incarnation_stops_the_node(node, story):
    story.ledger.begin(OPERATOR)
    story.create()
    saved = node.log.recorder.select_notifications(None, 10)
    story.create()
    assert node.queries.tasks(ANN).count == 2
    alter(node.log, "TRUNCATE stored_events RESTART IDENTITY")
    node.log.recorder.insert_events(saved)
    for _ in range(2):
        with pytest.raises(LogAltered):
            node.queries.tasks(ANN)
        story.create()  # to the position that the node knows, and beyond
    story.ledger.begin_anew(len(saved), OPERATOR)
    assert node.queries.tasks(ANN).count == 3


# The time


AHEAD = """
import sys
from datetime import datetime, timedelta
from domain.journal import Journal, utc_now
from domain.ledger import Ledger
from domain.refusals import DownloadTooSoon
from projections.log import open_log
from tests.facts import Story

class Ahead(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(minutes=10)

log = open_log(sys.argv[1])
for module in [*sys.modules.values()]:
    if getattr(module, "datetime", None) is datetime:
        module.datetime = Ahead if module.__name__ != "__main__" else datetime
story = Story(log.recorder)
story.ledger = Ledger(Journal(log.recorder, clock=log.clock, turns=log.turns))
task = story.create()
story.complete(task)
story.grant(task)
try:
    story.grant(task)
except DownloadTooSoon:
    print((utc_now() - log.clock()).total_seconds() // 60)
"""


def test_a_node_whose_own_clock_is_ten_minutes_ahead_does_not_matter(node, events_url, database):
    ((before,),) = database.execute("SELECT clock_timestamp()")
    told = subprocess.run(
        [sys.executable, "-c", AHEAD, events_url], cwd=ROOT, capture_output=True, text=True
    )
    assert (told.stdout, told.stderr) in (("9.0\n", ""), ("10.0\n", ""))
    ((after,),) = database.execute("SELECT clock_timestamp()")
    events = node.story.events()
    assert len(events) == 5
    for event in events:
        assert before <= event.timestamp <= after
    first = node.queries.tasks(ANN).tasks[0].task_id
    node.story.journal.clock = node.log.clock
    assert node.story.create().task_id > first


class Told:
    """A database's clock, as a test sets it."""

    def __init__(self, watch):
        self.watch, self.asked, self.now, self.takes = watch, 0, NOON, 0.0

    def __call__(self):
        self.asked += 1
        self.watch.pass_by(self.takes)
        return self.now.astimezone(timezone(timedelta(hours=5)))


def test_the_databases_clock_is_asked_once_a_second_and_goes_on_in_between():
    watch = Watch()
    told = Told(watch)
    clock = DatabaseClock(told, watch=watch)
    assert clock() == NOON
    watch.pass_by(FRESH_SECONDS)
    assert (clock(), told.asked) == (NOON + timedelta(seconds=FRESH_SECONDS), 1)
    told.now = NOON - timedelta(hours=1)
    watch.pass_by(0.001)
    assert (clock(), told.asked) == (NOON - timedelta(hours=1), 2)
    assert clock().utcoffset() == timedelta(0)


def test_an_answer_that_took_long_is_the_time_at_its_end():
    watch = Watch()
    told = Told(watch)
    told.takes = 0.5
    clock = DatabaseClock(told, watch=watch)
    assert clock() == NOON
    watch.pass_by(0.25)
    assert clock() == NOON + timedelta(seconds=0.25)
