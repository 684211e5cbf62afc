"""An event that cannot be applied: it stops a rebuild, or freezes its stream and asks first."""

from __future__ import annotations

import pytest
from eventsourcing.persistence import StoredEvent

from projections.fold import Poisoned
from projections.rebuild import UNATTENDED, Plan, rebuild
from projections.tables import ReadTables
from tests.facts import ANN, BEN


@pytest.fixture
def frozen(node, story):
    """A task whose second event is of no known kind, one before it and one after it."""
    story.create()
    task = story.create()
    poison(node, task.id, 2)
    story.complete(story.create(BEN))
    return task


def poison(node, stream, version):
    """Appends what cannot be applied."""
    node.log.recorder.insert_events([StoredEvent(stream, version, "task.unheard_of", b"{}")])


def test_it_stops_the_rebuild_and_says_where_to_look(node, story, frozen):
    node.queries.tasks(ANN)
    current = node.tables.current()
    with pytest.raises(Poisoned) as stopped:
        rebuild(node.log.recorder, node.tables)
    (row,) = node.queries.quarantined()
    assert stopped.value.position == row["position"]
    told = str(stopped.value)
    assert f"position {row['position']} cannot be applied: task.unheard_of" in told
    assert f"of the task {frozen.task_id}: " in told
    assert f"export-tasks event list --from {row['position']}." in told
    assert "export-tasks rebuild --quarantine" in told
    assert node.tables.current() == current
    assert [path.name for path in node.tables.folder.glob("read-*.sqlite")] == [current]


def test_what_is_no_task_is_named_by_its_stream(node, story):
    stream = story.create().id.__class__(int=7)
    poison(node, stream, 1)
    with pytest.raises(Poisoned, match=f"of the stream {stream.hex}: "):
        rebuild(node.log.recorder, node.tables)


@pytest.mark.parametrize(("accepted", "swapped"), [(0, False), (1, True), (2, False), (None, True)])
def test_the_swap_asks_for_what_is_frozen_by_its_number(node, frozen, accepted, swapped):
    node.queries.tasks(ANN)
    current = node.tables.current()
    plan = Plan(quarantine=True, accept_quarantined=accepted)
    done = rebuild(node.log.recorder, node.tables, plan)
    assert (done.swapped, done.different) == (swapped, 0)
    assert [row["stream"] for row in done.quarantined] == [frozen.id.hex]
    assert (node.tables.current() != current) is swapped
    assert node.queries.task(BEN, node.queries.tasks(BEN).tasks[0].task_id).status == "Success"


def test_none_is_to_be_frozen_where_some_are_accepted(node, story):
    story.create()
    plan = Plan(quarantine=True, accept_quarantined=1)
    assert not rebuild(node.log.recorder, node.tables, plan).swapped


def test_with_nobody_to_ask_it_freezes_as_the_follower_does(node, frozen, caplog):
    assert rebuild(node.log.recorder, node.tables, UNATTENDED).swapped
    assert "cannot be applied" in caplog.text
    assert len(node.queries.quarantined()) == 1


def test_what_cannot_be_applied_while_it_catches_up_stops_it_too(node, story, monkeypatch):
    task = story.create()
    node.queries.tasks(ANN)
    settle = ReadTables.settle

    def then_it_comes(tables, name, database):
        poison(node, task.id, 2)
        return settle(tables, name, database)

    monkeypatch.setattr(ReadTables, "settle", then_it_comes)
    with pytest.raises(Poisoned, match=task.task_id):
        rebuild(node.log.recorder, node.tables)


def test_a_frozen_stream_that_the_live_tables_lack_is_told_with_its_event(node, story, frozen):
    node.queries.tasks(ANN)
    with node.tables.open() as database:
        database.execute("DELETE FROM quarantine")
    (found,) = rebuild(node.log.recorder, node.tables, Plan(quarantine=True)).differences
    assert (found.table, found.live) == ("quarantine", None)
    assert (found.by.position, found.by.topic) == (found.rebuilt["position"], "task.unheard_of")
