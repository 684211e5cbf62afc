"""Verify: whatever is done to the sealed part is found and named, and honest logs are sound."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random

import pytest

from api.audit.leaves import Leaves
from api.audit.log import Log
from api.audit.stored import SQLiteEvents
from api.audit.verify import verify
from tests.tampering import logs
from tests.tampering.kinds import KINDS
from tests.tampering.logs import Scene, tell
from tests.tampering.trial import attack, honest

TAMPERINGS = 40
HONEST_LOGS = 150

DELETE = "DELETE FROM stored_events WHERE rowid >= ?"
EDIT = "UPDATE stored_events SET state = x'7b7d' WHERE rowid = ?"


@pytest.mark.parametrize("kind", KINDS)
def test_every_tampering_of_the_sealed_part_is_found_and_named(kind):
    for number in range(TAMPERINGS):
        told = tell(Random(f"log {kind} {number}"))
        assert attack(told, kind, f"{kind} {number}") is None


def test_honest_logs_with_conflicts_gaps_and_restores_are_sound():
    assert honest(HONEST_LOGS, first=1_000_000).wrong == []


def test_the_generator_notices_a_verifier_that_sees_nothing_or_the_wrong_thing(monkeypatch):
    told = tell(Random(7))
    cut = KINDS["cut the tail"]
    monkeypatch.setitem(KINDS, "edit", lambda *scene: cut(*scene)._replace(kinds=("edited",)))
    assert "was called" in (attack(told, "edit", "x") or "")
    monkeypatch.setattr(logs, "verify", lambda *_: verify(SQLiteEvents(honest_one), *_[1:]))
    with closing(told.opened()) as honest_one:
        assert "sound" in (attack(told, "swap", "x") or "")


def test_the_generator_notices_a_verifier_that_accuses_honest_logs(monkeypatch):
    seen = logs.SQLiteEvents
    with closing(tell(Random(8)).opened()) as another:
        monkeypatch.setattr(logs, "SQLiteEvents", lambda database: seen(another))
        assert len(honest(3).wrong) == 3


@pytest.fixture
def sealed() -> Scene:
    return Scene()


def nothing(sealed: Scene, **options):
    return sealed.after("SELECT 1", **options)


def test_a_sound_log_is_proven_as_far_as_the_last_checkpoint_and_no_further(sealed):
    verdict = nothing(sealed)
    events = len(sealed.told.events)
    assert (verdict.outcome, verdict.proven, verdict.events) == ("sound", 20, events)
    assert verdict.proof is sealed.told.sealed[-1]
    assert verdict.holding == 2
    assert verdict.incarnation == sealed.incarnation
    assert events > 21


def test_what_happens_after_the_last_checkpoint_is_not_seen(sealed):
    assert sealed.after(EDIT, 21).outcome == "sound"
    assert sealed.after(EDIT, 20).outcome == "changed"
    assert sealed.after(DELETE, 21).outcome == "sound"
    assert sealed.after(DELETE, 20).outcome == "changed"


def test_an_edited_event_is_named_with_its_task(sealed):
    created = next(n for n, e in enumerate(sealed.told.events[:19]) if e.topic == "task.created")
    verdict = sealed.after("UPDATE stored_events SET topic = 'task.x' WHERE rowid = ?", created + 1)
    damage = verdict.damage
    assert (damage.kind, damage.rank, damage.position) == ("edited", created, created + 1)
    assert damage.stream == sealed.told.events[created].originator_id.hex
    assert (damage.version, damage.topic) == (1, "task.x")
    assert damage.task
    assert damage.task in sealed.told.events[created].state.decode()
    assert damage.checkpoint == sealed.told.sealed[0 if created < 10 else 1].where


def test_what_holds_before_the_damage_is_proven_all_the_same(sealed):
    assert sealed.after(EDIT, 15).proven == 10
    assert sealed.after(EDIT, 5).proven == 0


def test_without_tiles_the_damage_lies_between_two_checkpoints(sealed):
    damage = sealed.after(EDIT, 15, tiles=False).damage
    assert (damage.kind, damage.rank, damage.until) == ("changed", 10, 20)
    damage = sealed.after(EDIT, 5, tiles=False).damage
    assert (damage.kind, damage.rank, damage.until) == ("changed", 0, 10)


def test_without_tiles_a_short_log_is_cut(sealed):
    damage = sealed.after(DELETE, 16, tiles=False).damage
    assert (damage.kind, damage.rank, damage.until) == ("cut", 10, 20)


def test_a_missing_event_s_stream_is_named_by_the_gap_in_its_versions(sealed):
    versions = [(each.originator_id, each.originator_version) for each in sealed.told.events]
    rank = next(n for n, (s, v) in enumerate(versions[:19]) if (s, v + 1) in versions[n:])
    damage = sealed.after("DELETE FROM stored_events WHERE rowid = ?", rank + 1).damage
    assert (damage.kind, damage.rank) == ("missing", rank)
    assert versions[rank][0].hex in "".join(damage.hints)


def test_the_first_of_several_damages_is_named(sealed):
    both = "UPDATE stored_events SET state = x'7b7d' WHERE rowid IN (?, ?)"
    damage = sealed.after(both, 12, 7).damage
    assert (damage.kind, damage.rank) == ("edited", 6)


def test_an_empty_log_is_cut_at_its_beginning(sealed):
    damage = sealed.after("DELETE FROM stored_events").damage
    assert (damage.kind, damage.rank, damage.position) == ("cut", 0, None)


def test_forged_tiles_name_nothing(sealed):
    forged = bytearray(b"".join(sealed.tree[rank] for rank in range(20)))
    forged[3 * 32] ^= 1
    sealed.told.tiles[sealed.incarnation] = Leaves.joined(forged)
    assert nothing(sealed).outcome == "sound"
    damage = sealed.after(EDIT, 15).damage
    assert (damage.kind, damage.rank, damage.until) == ("changed", 10, 20)


def test_tiles_forged_to_fit_the_edit_do_not_hide_it(sealed):
    with closing(sealed.told.opened()) as database:
        database.execute(EDIT, [15])
        sealed.told.tiles[sealed.incarnation] = Log(SQLiteEvents(database)).leaves
    damage = sealed.after(EDIT, 15).damage
    assert (damage.kind, damage.rank, damage.until) == ("changed", 10, 20)


def test_a_checkpoint_that_the_others_do_not_extend_contradicts_them(sealed):
    sealed.seal(15, root=bytes(32))
    verdict = nothing(sealed)
    assert (verdict.outcome, verdict.damage.kind) == ("changed", "contradiction")
    assert verdict.damage.checkpoint == sealed.told.sealed[-1].where


def test_two_roots_of_one_size_contradict_each_other(sealed):
    sealed.seal(20, root=bytes(32))
    assert nothing(sealed).damage.kind == "contradiction"


def test_a_checkpoint_of_more_than_there_ever_was_says_that_the_log_was_cut(sealed):
    sealed.seal(len(sealed.told.events) + 1, root=bytes(32))
    damage = nothing(sealed).damage
    assert (damage.kind, damage.rank, damage.until) == ("cut", 20, len(sealed.told.events) + 1)


def test_without_a_checkpoint_nothing_can_be_told(sealed):
    sealed.told.sealed.clear()
    verdict = nothing(sealed)
    assert (verdict.outcome, verdict.proven) == ("cannot tell", 0)
    assert "no checkpoint" in verdict.why


def test_another_log_in_the_place_of_one_that_was_never_restored_is_changed(sealed):
    other = tell(Random(99), restored=False)
    with closing(other.opened()) as database:
        verdict = sealed.told.judged(database)
    assert (verdict.outcome, verdict.damage.kind) == ("changed", "cut and grown again")
    assert verdict.damage.rank == 0


def test_a_file_that_is_damaged_further_on_is_changed(sealed, tmp_path):
    path = tmp_path / "events.sqlite"
    content = bytearray(sealed.told.image)
    content[-4096:] = bytes(4096)
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as database:
        verdict = sealed.told.judged(database)
    assert verdict.outcome == "changed"
    assert verdict.damage.kind in ("unreadable", "missing", "cut and grown again")


def test_a_checkpoint_of_nothing_proves_nothing(sealed):
    sealed.told.sealed.clear()
    sealed.seal(0)
    assert nothing(sealed).outcome == "cannot tell"
