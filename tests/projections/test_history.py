"""A log altered under its incarnation stops a rebuild until somebody accepts it by name."""

from __future__ import annotations

import pytest

from projections.checks import HistoryAltered
from projections.follower import LogAltered
from projections.rebuild import Plan, rebuild
from tests.altered import alter
from tests.facts import ANN, BEN, OPERATOR


@pytest.fixture
def incarnation(node, story):
    """A log of eleven events that the node has read."""
    log = story.ledger.begin(OPERATOR)
    for _ in range(5):
        story.create()
    node.queries.tasks(ANN)
    assert story.head() == 11
    return log.incarnation


def touch(position):
    """Another state of the same meaning."""
    return f"UPDATE stored_events SET state = CAST(state || ' ' AS BLOB) WHERE rowid = {position}"


CUT = "DELETE FROM stored_events WHERE rowid = 11"
REMOVE = "DELETE FROM stored_events WHERE rowid = 4"

ALTERED = [
    (touch(11), "the event at position 11 is not the one"),
    (CUT, "it ends at position 10, and the read tables know 11"),
    (touch(1), "of its events number 1 to 8 one at least"),
    (touch(8), "of its events number 1 to 8 one at least"),
    (touch(9), "of its events number 9 to 10 one at least"),
    (REMOVE, "it has 10 events where the read tables know 11"),
]


@pytest.mark.parametrize(("harm", "what"), ALTERED)
@pytest.mark.parametrize("plan", [Plan(), Plan(swap=False), Plan(accept_history="another")])
def test_it_stops_and_says_what_differs(node, incarnation, harm, what, plan):
    alter(node.log, harm)
    current = node.tables.current()
    with pytest.raises(HistoryAltered, match=what) as stopped:
        rebuild(node.log.recorder, node.tables, plan)
    assert f"export-tasks rebuild --accept-history {incarnation}" in str(stopped.value)
    assert node.tables.current() == current


@pytest.mark.parametrize("harm", [harm for harm, _ in ALTERED])
def test_accepted_by_name_it_is_built_and_the_tables_before_are_not_kept(node, incarnation, harm):
    alter(node.log, harm)
    plan = Plan(accept_history=incarnation)
    assert rebuild(node.log.recorder, node.tables, plan).swapped
    assert node.tables.former() is None
    assert node.queries.tasks(ANN).count
    assert rebuild(node.log.recorder, node.tables).different == 0


def test_a_node_that_stopped_goes_on_once_it_is_accepted(node, incarnation):
    alter(node.log, touch(11))
    with pytest.raises(LogAltered):
        node.queries.tasks(ANN)
    rebuild(node.log.recorder, node.tables, Plan(accept_history=incarnation))
    assert node.queries.tasks(ANN).count == 5


@pytest.mark.parametrize("harm", [touch(1), touch(2)])
def test_a_log_that_never_began_is_accepted_by_that_name(node, story, harm):
    story.create()
    node.queries.tasks(ANN)
    alter(node.log, harm)
    with pytest.raises(HistoryAltered, match="--accept-history none"):
        rebuild(node.log.recorder, node.tables)
    assert rebuild(node.log.recorder, node.tables, Plan(accept_history="none")).swapped


def test_an_acceptance_of_what_was_not_altered_changes_nothing(node, incarnation):
    done = rebuild(node.log.recorder, node.tables, Plan(accept_history=incarnation))
    assert (done.swapped, done.compared, done.different) == (True, True, 0)
    assert node.tables.former()


def test_a_restored_log_is_built_without_asking(node, story, incarnation):
    alter(node.log, "DELETE FROM stored_events")
    story.ledger.begin(OPERATOR)
    done = rebuild(node.log.recorder, node.tables)
    assert (done.swapped, done.compared, done.events) == (True, False, 1)
    assert node.tables.former() is None


@pytest.mark.parametrize("harm", ["frontier = ''", "count = 1", "frontier = 'no digits'"])
def test_a_position_that_was_altered_in_the_tables_is_a_difference_of_theirs(
    node, incarnation, harm
):
    with node.tables.open() as database:
        database.execute(f"UPDATE position SET {harm}")
    done = rebuild(node.log.recorder, node.tables)
    assert (done.swapped, done.different) == (True, 1)
    assert done.differences[0].table == "position"
    assert done.differences[0].by is None


def test_a_position_that_cannot_be_gone_on_from_is_damage(node, story, incarnation, caplog):
    with node.tables.open() as database:
        database.execute("UPDATE position SET frontier = 'no digits'")
    story.create(BEN)
    done = rebuild(node.log.recorder, node.tables)
    assert (done.swapped, done.compared) == (True, False)
    assert "damaged" in caplog.text
