"""`backup` from either kind of event store, `restore` into either, and in place."""

from __future__ import annotations

import json
import shutil
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from api.audit.log import Log
from api.audit.stored import NothingStored, open_events
from api.parts import Parts
from projections.tables import ReadTables
from tests.cut_off import calls_of, is_cut_off, restoring
from tests.facts import Story
from tests.installation import Installation
from tests.invoked import invoke, refused, told
from tests.meddling import alter
from tests.service import Home, eventually

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ["sqlite", "postgresql"]
KEY = "a secret key of many characters.."
KILLS = 5


def place(kind: str, folder: Path, database) -> str:
    return database.fresh() if kind == "postgresql" else f"sqlite:///{folder}/events.sqlite"


@pytest.fixture(params=KINDS)
def origin(request, tmp_path, database):
    """An installation over each kind of store: a file that is current, a task that waits."""
    url = place(request.param, tmp_path / "first", database)
    made = Installation(Home(tmp_path / "first", events=url, secret_key=KEY))
    made.url, made.tasks = url, [made.create(made.home.batch(5))]
    made.export()
    made.tasks.append(made.create(made.home.batch(5)))
    yield made
    made.home.close()


def log_of(url):
    """All rows, and the root over them."""
    with open_events(url) as events:
        rows = [row for page in events.pages() for row in page]
        people = {table: events.beside(table) for table in ("people", "secrets", "passwords")}
        return rows, people, Log(events).leaves


@pytest.fixture(params=KINDS)
def there(request, origin, tmp_path, database):
    """The environment of a new home over an empty store of each kind."""
    url = place(request.param, tmp_path / "there", database)
    home = str(tmp_path / "there")
    return {**origin.home.environment, "EXPORT_TASKS_HOME": home, "EXPORT_TASKS_EVENTS": url}


def test_a_backup_of_either_store_is_restored_into_either(origin, there, tmp_path):
    made = told(origin.home.environment, "backup", str(tmp_path / "b"))
    rows, people, leaves = log_of(origin.url)
    copied = log_of(f"sqlite:///{tmp_path}/b/events.sqlite")
    assert copied[:2] == (rows, people)
    assert made["events"] == len(rows) > 10
    assert made["position"] == rows[-1][0]
    assert all(people[table] for table in ("people", "secrets"))
    put = told(there, "restore", str(tmp_path / "b"))
    restored = log_of(there["EXPORT_TASKS_EVENTS"])
    assert restored[0][:-1] == rows
    assert restored[1] == people
    assert restored[2].root(0, len(rows)) == leaves.root()
    begun = json.loads(restored[0][-1][4])
    assert (begun["incarnation"], begun["previous_count"]) == (put["incarnation"], len(rows))
    for each in (["task", "list"], ["user", "list"], ["project", "list"]):
        assert told(there, *each) == told(origin.home.environment, *each)
    assert json.loads(invoke(there, "doctor", "--deep", "--json").stdout) == {"findings": []}
    assert not (tmp_path / "there" / ".restoring").exists()
    invoke(there, "limits", "set", "--kept", "49")
    assert log_of(there["EXPORT_TASKS_EVENTS"])[0][-1][0] == rows[-1][0] + 2


def test_what_is_copied_event_by_event_says_how_far_it_is(origin, there, tmp_path):
    done = invoke(origin.home.environment, "backup", str(tmp_path / "b"))
    told_of = f"copying: {len(log_of(origin.url)[0])} events, 100%"
    assert (told_of in done.stderr) == origin.url.startswith("postgresql:")
    assert "copying:" not in done.stdout
    done = invoke(there, "restore", str(tmp_path / "b"))
    copied = f"copying: {len(log_of(there['EXPORT_TASKS_EVENTS'])[0])} events, 100%"
    assert (copied in done.stderr) == there["EXPORT_TASKS_EVENTS"].startswith("postgresql:")


def test_results_in_a_bucket_are_backed_up_and_put_back(tmp_path, database, bucket_url):
    home = Home(tmp_path / "first", events=database.fresh(), secret_key=KEY, results=bucket_url)
    made = Installation(home)
    task = made.create(home.batch(5))
    made.export()
    found = told(home.environment, "backup", str(tmp_path / "b"))
    assert (found["complete"], found["result_files"]) == (True, 1)
    own = {
        "EXPORT_TASKS_HOME": str(tmp_path / "there"),
        "EXPORT_TASKS_EVENTS": database.fresh(),
        "EXPORT_TASKS_RESULTS": f"{bucket_url}-there",
    }
    there = {**home.environment, **own}
    invoke(there, "restore", str(tmp_path / "b"))
    assert task in invoke(there, "task", "list").stdout
    assert told(there, "doctor", "--deep") == {"findings": []}
    home.close()


def test_a_backup_tells_no_password_of_a_setting(origin, tmp_path):
    made = tmp_path / "b"
    source = "postgresql://ann:geheim@127.0.0.1:1/source"
    env = {**origin.home.environment, "EXPORT_TASKS_SOURCE": source}
    invoke(env, "backup", str(made))
    settings = json.loads((made / "manifest.json").read_text())["settings"]
    assert settings["EXPORT_TASKS_SOURCE"] == source.replace("geheim", "…")


def test_positions_with_gaps_are_kept(origin, there, tmp_path):
    alter(origin.url, "UPDATE stored_events SET rowid = -rowid * 10")
    alter(origin.url, "UPDATE stored_events SET rowid = -rowid")
    invoke(origin.home.environment, "backup", str(tmp_path / "b"))
    invoke(there, "restore", str(tmp_path / "b"))
    restored = [row[0] for row in log_of(there["EXPORT_TASKS_EVENTS"])[0]]
    kept = len(restored) - 1
    assert restored == [*range(10, kept * 10 + 1, 10), kept * 10 + 1]


def test_a_store_that_holds_a_log_is_refused_by_name_and_left_alone(origin, tmp_path):
    invoke(origin.home.environment, "backup", str(tmp_path / "b"))
    before = log_of(origin.url)[:2]
    env = {**origin.home.environment, "EXPORT_TASKS_HOME": str(tmp_path / "there")}
    assert "EXPORT_TASKS_EVENTS" in refused(env, "restore", str(tmp_path / "b"))
    assert log_of(origin.url)[:2] == before


def test_where_there_is_no_log_there_is_nothing_to_back_up_and_none_is_made(there, tmp_path):
    assert "export-tasks init" in refused(there, "backup", str(tmp_path / "c"))
    assert "export-tasks init" in refused(there, "restore", "--in-place")
    assert "nothing_here" in invoke(there, "doctor", exit_code=3).stdout
    assert not (tmp_path / "c").exists()


def test_another_secret_key_opens_no_backup(origin, there, tmp_path):
    invoke(origin.home.environment, "backup", str(tmp_path / "b"))
    env = {**there, "EXPORT_TASKS_SECRET_KEY": "k" * 32}
    assert "SECRET_KEY is not the key" in refused(env, "restore", str(tmp_path / "b"))
    assert "nothing_here" in invoke(there, "doctor", exit_code=3).stdout


def test_a_restore_into_a_database_that_is_killed_is_completed_by_another(
    tmp_path, database, origin
):
    invoke(origin.home.environment, "backup", str(tmp_path / "kept"))
    linked, home = tmp_path / "l", tmp_path / "there"
    linked.symlink_to(tmp_path / "kept")

    def environment() -> dict[str, str]:
        shutil.rmtree(home, ignore_errors=True)
        own = {"EXPORT_TASKS_HOME": str(home), "EXPORT_TASKS_EVENTS": database.fresh()}
        return {**origin.home.environment, **own}

    calls = calls_of(restoring, environment(), linked)
    for number in sorted({1 + each * calls // (KILLS - 1) for each in range(KILLS)}):
        env = environment()
        if is_cut_off(number, restoring, env, linked):
            assert is_empty(env["EXPORT_TASKS_EVENTS"])
            invoke(env, "restore", str(linked))
        assert json.loads(invoke(env, "doctor", "--deep", "--json").stdout) == {"findings": []}


def is_empty(url: str) -> bool:
    try:
        with open_events(url) as events:
            return events.count() == 0
    except NothingStored:
        return True


# In place


def put_back(origin: Installation, count: int) -> None:
    """What a database's own tools do: the first events alone are there."""
    alter(
        origin.url,
        "DELETE FROM stored_events WHERE rowid NOT IN "
        f"(SELECT rowid FROM stored_events ORDER BY rowid LIMIT {count})",
    )


def test_a_log_that_was_put_back_goes_on_as_a_new_incarnation(origin):
    env = origin.home.environment
    invoke(env, "audit", "checkpoint", "--now")
    rows = log_of(origin.url)[0]
    invoke(env, "limits", "set", "--kept", "45")
    invoke(env, "limits", "set", "--kept", "44")
    invoke(env, "task", "list")
    put_back(origin, len(rows) - 3)
    assert "restored_log" in invoke(env, "doctor", exit_code=3).stdout
    assert "operator must look" in refused(env, "task", "list")
    done = invoke(env, "restore", "--in-place", "--json")
    found = json.loads(done.stdout)
    assert (found["events"], found["lost"]) == (len(rows) - 3, 5)
    assert "5 events, at least, are gone; 3 of them were signed" in done.stderr
    anew = log_of(origin.url)[0]
    assert anew[:-1] == rows[:-3]
    begun = json.loads(anew[-1][4])
    assert begun["previous"] == found["previous"] != found["incarnation"] == begun["incarnation"]
    assert begun["previous_count"] == len(rows) - 3
    assert begun["results"] == json.loads(_first_begun(rows)[4])["results"]
    invoke(env, "task", "list")
    assert told(env, "limits", "show")["kept"] == 50
    assert json.loads(invoke(env, "doctor", "--json").stdout)["findings"] == []
    invoke(env, "audit", "checkpoint", "--now")
    verdict = told(env, "audit", "verify")
    assert verdict["verdict"] == "sound"
    assert "at least 3 events" in verdict["restored"][0]


def test_other_nodes_that_had_read_further_stop_and_after_it_go_on_from_what_is_kept(
    origin, tmp_path
):
    env = origin.home.environment
    other = {**env, "EXPORT_TASKS_HOME": str(tmp_path / "node")}
    rows = log_of(origin.url)[0]
    ahead = origin.create(origin.home.batch(5))
    assert ahead in invoke(other, "task", "list").stdout
    tables = ReadTables(tmp_path / "node" / "read").current()
    put_back(origin, len(rows))
    assert "operator must look" in refused(other, "task", "list")
    assert ReadTables(tmp_path / "node" / "read").current() == tables
    assert "no further" in refused(env, "restore", "--in-place"), "this one knows of nothing"
    invoke(other, "restore", "--in-place")
    listed = invoke(other, "task", "list").stdout
    assert ahead not in listed
    assert all(task in listed for task in origin.tasks)
    assert ReadTables(tmp_path / "node" / "read").current() != tables
    assert told(other, "rebuild", "--compare")["differences"] == []


def test_nobody_writes_between_the_count_and_the_event_that_says_it(origin):
    env, stop, written = origin.home.environment, [], []

    def write() -> None:
        with Parts(origin.settings) as parts:
            story = Story(parts.log.recorder)
            while not stop:
                story.limits()
                written.append(1)

    writers = [Thread(target=write) for _ in range(3)]
    for each in writers:
        each.start()
    for _ in range(5):
        wanted = len(written) + 1 + len(writers)
        eventually(lambda wanted=wanted: len(written) >= wanted)
        invoke(env, "restore", "--in-place", "--insist")
    stop.append(1)
    for each in writers:
        each.join()
    rows = log_of(origin.url)[0]
    begun = [(rank, json.loads(row[4])) for rank, row in enumerate(rows) if row[3] == "log.begun"]
    assert [each["previous_count"] for _, each in begun[1:]] == [rank for rank, _ in begun[1:]]
    assert len(begun) == 6
    assert len(rows) > begun[1][0] + 5


def _first_begun(rows):
    return next(row for row in rows if row[3] == "log.begun")


def test_a_log_that_was_altered_is_no_earlier_state_of_itself(origin):
    env = origin.home.environment
    invoke(env, "audit", "checkpoint", "--now")
    rows = log_of(origin.url)[0]
    alter(
        origin.url,
        f"UPDATE stored_events SET state = x'7b7d' WHERE rowid = {rows[4][0]}",
    )
    assert "audit verify" in refused(env, "restore", "--in-place")
    assert len(log_of(origin.url)[0]) == len(rows)


def test_users_removed_since_are_removed_again_in_place(origin, tmp_path):
    env = origin.home.environment
    before = log_of(origin.url)
    invoke(env, "user", "add", "ben", "--project", origin.home.project, "--admin")
    kept = log_of(origin.url)
    user = next(each for each in told(env, "user", "list") if each["name"] == "ben")["user_id"]
    invoke(env, "user", "remove", "ben")
    invoke(env, "user", "list")
    put_back(origin, len(kept[0]))
    _put_back_vault(origin.url, kept[1])
    assert len(before[0]) < len(kept[0])
    found = told(env, "restore", "--in-place")
    assert found["erased"] == [user]
    assert [each["name"] for each in told(env, "user", "list")] == ["admin"]


def _put_back_vault(url, people):
    for table, rows in people.items():
        alter(url, f"DELETE FROM {table}")
        for row in rows:
            marks = ", ".join("?" * len(row))
            alter(url, f"INSERT INTO {table} VALUES ({marks})", values=row)


@pytest.mark.parametrize("arguments", [(), ("/nowhere", "--in-place")], ids=["neither", "both"])
def test_either_a_backup_or_in_place(origin, arguments):
    assert (
        "Give either" in invoke(origin.home.environment, "restore", *arguments, exit_code=2).stderr
    )
