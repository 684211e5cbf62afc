"""The follower keeps up, over pages and processes; and it knows its log again."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import replace
from threading import Thread

import pytest
from eventsourcing.persistence import OperationalError, StoredEvent

from domain.limits import LIMITS_STREAM
from domain.refusals import Unavailable
from projections import follower as follower_module
from projections.follower import BehindLog, Follower, LogAltered
from projections.queries import Queries
from projections.tables import ReadTables
from tests.altered import alter, spend
from tests.facts import ANN, BEN, OPERATOR
from tests.node import Node


def test_an_empty_log_has_empty_tables(node):
    assert node.queries.tasks(ANN).count == 0
    assert node.follower.position().position == 0


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_pages_of_any_size_give_the_same_tables(node, story, tmp_path, page):
    story.limits(3, 3)
    for _ in range(3):
        story.complete(story.create())
        story.create(BEN)
    story.create()
    other = ReadTables(tmp_path / f"other{page}")
    follower = Follower(node.log.recorder, other, page=page)
    with follower.caught_up() as database:
        tasks = [dict(row) for row in database.execute("SELECT * FROM tasks ORDER BY 1")]
    assert tasks == node.rows("tasks")
    assert follower.position() == node.follower.position()
    other.close()


def test_nothing_new_writes_nothing(node, story):
    story.create()
    node.queries.tasks(ANN)
    with node.tables.open() as database:
        before = database.execute("PRAGMA data_version").fetchone()[0]
        second = ReadTables(node.tables.folder)
        Queries(Follower(node.log.recorder, second)).tasks(ANN)
        second.close()
        assert database.execute("PRAGMA data_version").fetchone()[0] == before


def test_two_followers_share_the_tables(node, story):
    second = Follower(node.log.recorder, ReadTables(node.tables.folder))
    for number in range(4):
        story.create(BEN if number % 2 else ANN)
        for follower in (second, node.follower):
            assert Queries(follower).tasks(ANN).count == number // 2 + 1
    assert second.position() == node.follower.position()
    second.tables.close()


def test_many_threads_read_their_own_writes(node, story):
    story.limits(1000, 1000)
    failures = []

    def reads_what_it_writes(number):
        task = story.ledger.create(story.creating(ANN, f"{number:x}"))
        if node.queries.task(ANN, task.task_id) is None:
            failures.append(number)

    threads = [Thread(target=reads_what_it_writes, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert node.queries.quota(ANN).kept == 20


def test_a_follower_that_cannot_catch_up_in_time_says_so(node, story, tmp_path):
    for _ in range(5):
        story.create()
    times = iter(range(100, 300))
    slow = Follower(
        node.log.recorder, ReadTables(tmp_path / "slow"), page=1, watch=lambda: next(times)
    )
    with pytest.raises(BehindLog), slow.caught_up(seconds=2):
        pass
    with slow.caught_up(seconds=50):
        assert slow.position() == node_position(node)
    slow.tables.close()


@pytest.mark.parametrize("then", [102, 103])
def test_a_page_that_ends_with_the_time_is_not_taken_for_the_last(node, story, tmp_path, then):
    story.create()
    times = iter([100, 100, then, then])
    tables = ReadTables(tmp_path / "slow")
    slow = Follower(node.log.recorder, tables, page=2, watch=lambda: next(times))
    with pytest.raises(BehindLog), slow.caught_up(seconds=2):
        pass
    tables.close()


def test_pages_that_are_full_follow_one_another_however_big_they_are(node, story, tmp_path):
    story.limits()
    (first,) = node.log.recorder.select_events(LIMITS_STREAM)
    more = [replace(first, originator_version=version) for version in range(2, 603)]
    node.log.recorder.insert_events(more)
    tables = ReadTables(tmp_path / "big")
    follower = Follower(node.log.recorder, tables, page=300)
    with follower.caught_up():
        assert follower.position().count == 602
    tables.close()


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
@pytest.mark.parametrize("numbers", [1, 2, 3, 10_000])
def test_a_log_with_holes_is_read_to_its_end(node, story, tmp_path, page, numbers):
    tasks = []
    for _ in range(3):
        tasks.append(story.create())
        spend(node.log, numbers)
        story.complete(tasks[-1])
        spend(node.log, numbers)
    tables = ReadTables(tmp_path / "holes")
    follower = Follower(node.log.recorder, tables, page=page)
    queries = Queries(follower)
    assert {queries.task(ANN, task.task_id).status for task in tasks} == {"Success"}
    assert follower.position().position == story.head() == 12 + 6 * numbers
    assert follower.position().count == 12
    tables.close()


@pytest.mark.parametrize("numbers", [1, 10_000])
def test_what_comes_after_a_hole_is_read_with_the_next_question(node, story, numbers):
    for kept in (1, 2, 3):
        task = story.create()
        spend(node.log, numbers)
        assert node.queries.tasks(ANN).count == kept
        assert story.claim(task)
        spend(node.log, numbers)
        assert node.queries.task(ANN, task.task_id).attempt == 1
        assert node.follower.position().position == story.head()
    assert node.follower.position().count == len(story.told()) == 9


def node_position(node):
    """The node's position, caught up."""
    node.queries.tasks(ANN)
    return node.follower.position()


def test_a_follower_that_another_thread_holds_up_says_so(node, story):
    story.create()
    node.follower._applying.acquire()
    with pytest.raises(BehindLog), node.follower.caught_up(seconds=0.01):
        pass
    node.follower._applying.release()


@pytest.mark.parametrize(
    ("now", "patience"), [(100.0, 5.0), (103.0, 2.0), (105.0, 0.0), (110.0, 0.0)]
)
def test_it_waits_for_another_thread_as_long_as_its_time_lasts(node, story, now, patience):
    class Held:
        def acquire(self, timeout):
            self.timeout = timeout
            return False

    story.create()
    times = iter([100.0, now])
    follower = Follower(node.log.recorder, node.tables, watch=lambda: next(times))
    follower._applying = Held()
    with pytest.raises(BehindLog), follower.caught_up():
        pass
    assert follower._applying.timeout == patience


def test_a_log_that_cannot_be_read_is_unavailable(node, story, monkeypatch):
    story.create()

    def gone(*arguments, **more):
        raise OperationalError("gone")

    monkeypatch.setattr(node.log.recorder.datastore, "get_connection", gone)
    node.log.close()
    with pytest.raises(Unavailable):
        node.queries.tasks(ANN)


def test_a_log_restored_under_a_new_incarnation_is_read_anew(node, story):
    story.ledger.begin(OPERATOR)
    story.create()
    assert node.queries.tasks(ANN).count == 1
    empty(node)
    story.ledger.begin(OPERATOR)
    story.create(BEN)
    assert node.queries.tasks(ANN).count == 0
    assert node.queries.tasks(BEN).count == 1


def test_a_log_restored_time_and_again_is_read_anew_whatever_its_incarnations_are(node, story):
    for owner in (ANN, BEN) * 4:
        story.ledger.begin(OPERATOR)
        story.create(owner)
        assert node.queries.tasks(owner).count == 1
        assert node.queries.tasks(BEN if owner is ANN else ANN).count == 0
        empty(node)


def test_a_log_restored_between_the_look_and_the_page_is_read_anew(node, story):
    story.ledger.begin(OPERATOR)
    story.create()
    assert node.queries.tasks(ANN).count == 1
    story.create()
    select = node.log.recorder.select_notifications

    def restored_after(*arguments, **more):
        node.log.recorder.select_notifications = select
        found = select(*arguments, **more)
        empty(node)
        story.ledger.begin(OPERATOR)
        story.create(BEN)
        return found

    node.log.recorder.select_notifications = restored_after
    assert node.queries.tasks(ANN).count == 0
    assert node.queries.tasks(BEN).count == 1


@pytest.mark.parametrize(
    "cut",
    [
        "DELETE FROM stored_events",
        *(f"UPDATE stored_events SET state=CAST('{{\"a\":{n}}}' AS BLOB)" for n in range(6)),
        "UPDATE stored_events SET state='text'",
        "UPDATE stored_events SET originator_version=7",
        "UPDATE stored_events SET originator_id='00000000000000000000000000000001'",
        "UPDATE stored_events SET originator_id='ffffffffffffffffffffffffffffffff'",
    ],
)
def test_a_log_altered_under_the_same_incarnation_stops_the_node(node, story, cut):
    story.ledger.begin(OPERATOR)
    story.create()
    assert node.queries.tasks(ANN).count == 1
    alter(node.log, f"{cut} WHERE rowid = (SELECT max(rowid) FROM stored_events)")
    with pytest.raises(LogAltered, match="not the one"):
        node.queries.tasks(ANN)


def empty(node):
    """A log of nothing, as before the first event."""
    alter(node.log, "DELETE FROM stored_events")


def test_an_event_that_cannot_be_applied_freezes_its_stream_alone(node, story, caplog):
    task = story.create()
    other = story.create(BEN)
    poison = StoredEvent(task.id, 2, "task.unheard_of", b"{}")
    node.log.recorder.insert_events([poison])
    after = StoredEvent(task.id, 3, "task.evicted", b'{"reason":"deleted"}')
    node.log.recorder.insert_events([after])
    story.complete(other)
    assert node.queries.task(ANN, task.task_id).status == "Processing"
    assert node.queries.task(BEN, other.task_id).status == "Success"
    (frozen,) = node.queries.quarantined()
    assert (frozen["stream"], frozen["topic"]) == (task.id.hex, "task.unheard_of")
    assert "cannot be applied" in caplog.text


@pytest.mark.parametrize(
    ("topic", "state"),
    [
        ("task.evicted", b'{"reason":"deleted","by_task":null}'),
        ("user.key_revoked", b'{"user_id":"u","access_key":"k"}'),
    ],
)
def test_an_event_of_something_that_is_not_there_is_quarantined(node, story, topic, state):
    stream = story.create().id
    node.log.recorder.insert_events([StoredEvent(stream.__class__(int=7), 1, topic, state)])
    (frozen,) = node.queries.quarantined()
    assert "not there" in frozen["error"]


def test_a_result_whose_file_is_missing_is_quarantined(node, story):
    story.complete(story.create())
    second = story.create()
    node.queries.tasks(ANN)
    with node.tables.open() as database:
        database.execute("DELETE FROM files")
    story.complete(second)
    (frozen,) = node.queries.quarantined()
    assert "current file" in frozen["error"]


@pytest.mark.parametrize("exporter", ["5", '"\\ud800"', "[]", "{}"])
def test_an_event_that_no_table_would_store_is_quarantined_too(node, story, exporter):
    task, other = story.create(), story.create(BEN)
    story.claim(task)
    (stored,) = node.log.recorder.select_events(task.id, gt=1)
    state = stored.state.replace(b'"exporter":"e1"', b'"exporter":' + exporter.encode())
    assert state != stored.state
    node.log.recorder.insert_events([StoredEvent(task.id, 3, stored.topic, state)])
    assert node.queries.task(BEN, other.task_id)
    assert len(node.queries.quarantined()) == 1


def test_a_node_that_another_process_rebuilds_is_behind_not_broken(node, story):
    story.ledger.begin(OPERATOR)
    story.create()
    assert node.queries.tasks(ANN).count == 1
    empty(node)
    story.ledger.begin(OPERATOR)
    with (node.tables.folder / "rebuild.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BehindLog):
            node.queries.tasks(ANN)
    assert node.queries.tasks(ANN).count == 0


def test_a_read_folder_that_is_removed_under_a_running_process_is_made_again(node, story):
    story.create()
    assert node.queries.tasks(ANN).count == 1
    shutil.rmtree(node.tables.folder)
    assert node.queries.tasks(ANN).count == 1


@pytest.fixture
def near(tmp_path):
    """A node whose log is on its machine."""
    near = Node(f"sqlite:///{tmp_path}/near.sqlite", tmp_path / "near")
    yield near
    near.close()


def briefly(follower):
    with follower.once(brief=True) as current:
        return current


def test_briefly_asked_it_answers_where_nothing_is_new(near):
    assert briefly(near.follower)
    near.story.create()
    assert not briefly(near.follower)
    assert near.queries.tasks(ANN).count == 1
    assert briefly(near.follower)


def test_what_is_committed_while_the_mark_is_taken_is_not_missed(near):
    def mark():
        if not near.story.events():
            near.story.create()
        return near.log.mark()

    follower = Follower(near.log.recorder, near.tables, mark=mark)
    assert not briefly(follower)
    assert not briefly(follower)


def test_what_was_found_is_known_until_something_is_committed(near):
    found = []
    for _ in range(2):
        for _ in range(2):
            with near.follower.once(brief=True):
                found.append(len(near.follower.known))
                near.follower.known["something"] = "found"
        near.story.create()
        with near.follower.once():
            assert not near.follower.known
    assert found == [0, 1, 0, 1]


def test_what_was_found_is_not_known_outside(near):
    with near.follower.once(brief=True):
        near.follower.known["something"] = "found"
    assert not near.follower.known


def test_without_a_mark_nothing_is_answered_briefly(near):
    assert not briefly(Follower(near.log.recorder, near.tables))


def test_what_was_found_does_not_grow_without_end(near, monkeypatch):
    monkeypatch.setattr(follower_module, "KNOWN_MOST", 3)
    found = []
    for number in range(6):
        with near.follower.once(brief=True):
            near.follower.known[number] = None
            found.append(len(near.follower.known))
    assert found == [1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize("what", ["folder", "file"])
def test_tables_that_somebody_deleted_are_made_anew_with_one_warning(node, story, caplog, what):
    story.create()
    node.queries.tasks(ANN)
    node.tables.close()
    name = node.tables.current()
    assert caplog.messages == []
    if what == "folder":
        shutil.rmtree(node.tables.folder)
    else:
        (node.tables.folder / name).unlink()
    for _ in range(2):
        assert node.queries.tasks(ANN).count == 1
    (told,) = caplog.messages
    count = node.follower.position().count
    assert f"{node.tables.folder / name}, were gone: {count} events were read again, in " in told


def test_the_first_tables_of_all_are_made_without_a_warning(node, story, caplog):
    story.create()
    node.queries.tasks(ANN)
    assert caplog.messages == []
