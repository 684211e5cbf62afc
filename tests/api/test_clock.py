"""On a shared log every time is the database's, whatever the machine's own clock shows."""

from __future__ import annotations

from tests.cluster.times import times_wrong
from tests.installation import Installation
from tests.service import Home
from tests.torture.clock import Clock, stepping
from tests.torture.stored import stored_events


def test_a_file_is_not_newer_than_its_task_where_the_machines_clock_is_ahead(
    tmp_path, database, monkeypatch
):
    events = database.fresh()
    home = Home(tmp_path, events=events, secret_key="k" * 43)
    installation = Installation(home)
    clock = Clock(tmp_path / "clock")
    clock.set(600.0)
    monkeypatch.setattr("domain.journal.datetime", stepping(clock))
    task = installation.create(home.batch(3))
    installation.export()
    stored = stored_events(events)
    assert "task.completed" in [each.topic for each in stored]
    assert list(times_wrong(stored)) == []
    assert installation.file(task).exists()
