"""`secret rotate`."""

import os

from api.parts import Parts


def test_another_key_takes_the_old_ones_place_and_access_keys_stay(command, begun, home):
    old = (home / "secret.key").read_text()
    told = command.json("secret", "rotate")
    assert told == {"secret_key_file": str(home / "secret.key")}
    assert (home / "secret.key").read_text() != old
    with Parts() as parts:
        secret = parts.people.secret_of(begun["access_key"])
        assert secret.secret_key == begun["secret_key"]


def test_a_key_that_is_given_is_to_be_given_anew(command, home, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY", "k" * 32)
    command("init")
    told = command("secret", "rotate")
    assert "EXPORT_TASKS_SECRET_KEY from now on" in told.stderr
    assert str(home / "secret.key.next") in told.stdout
    assert "sealed under" in command.refused("user", "list")
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY", (home / "secret.key.next").read_text())
    assert len(command.json("user", "list")) == 1


def test_a_dry_run_shows_where_the_key_would_stand_and_makes_none(command, begun, home):
    old = (home / "secret.key").read_text()
    planned = {"secret_key_file": str(home / "secret.key"), "users": 1, "tokens": "void"}
    assert command.json("secret", "rotate", "--dry-run") == planned
    assert (home / "secret.key").read_text() == old
    assert not (home / "secret.key.next").exists()
    (home / "secret.key.next").write_text("k" * 32)  # as one that was cut off leaves it
    assert command.json("secret", "rotate", "--dry-run") == planned | {"users": None}


def test_while_the_service_runs_nothing_is_changed(command, begun, home):
    from scripts.serve import LOCK, alone

    before = (home / "secret.key").read_text()
    with alone(home / LOCK):
        assert (home / LOCK).read_text() == str(os.getpid())  # docs/running.md signals it by this
        told = command.refused("secret", "rotate")
        assert told == command.refused("secret", "rotate", "--dry-run")
    assert f"Another serve runs in this home, {home}: process {os.getpid()}, since " in told
    assert (home / "secret.key").read_text() == before
