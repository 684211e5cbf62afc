"""Verify after restores: honest ones are named, false ones found, unvouched ones doubted."""

from __future__ import annotations

from contextlib import closing
from random import Random

from eventsourcing.popo import POPOApplicationRecorder

from api.audit.leaves import Leaves
from tests.facts import OPERATOR, Story
from tests.tampering.logs import (
    Scene,
    Told,
    checkpoint,
    live,
    put_back,
    stored,
    told_of,
    whole_of,
)

EDIT = "UPDATE stored_events SET state = x'7b7d' WHERE rowid = ?"


def judged(told: Told, **options):
    with closing(told.opened()) as database:
        return told.judged(database, **options)


def restored(chance: Random, *, resealed: bool = True) -> tuple[Told, int]:
    """A log that was sealed as a whole, put back from a backup, and went on; where it was."""
    story = Story(POPOApplicationRecorder())
    story.ledger.begin(OPERATOR)
    live(story, chance, 20)
    whole = whole_of(story)
    name = story.ledger.begin(OPERATOR).incarnation or ""
    sealed = [checkpoint(name, size, whole.root(0, size)) for size in (3, 8, whole.count)]
    tiles = {name: whole}
    anew = put_back(story, chance, kept=12)
    at = len(told_of(anew)) - 1
    live(anew, chance, 20)
    if resealed:
        all_of = whole_of(anew)
        again = anew.ledger.begin(OPERATOR).incarnation or ""
        sealed.append(checkpoint(again, all_of.count, all_of.root()))
        tiles[again] = all_of
    return stored(anew, sealed, tiles, 0, chance), at


def test_an_honest_restore_is_sound_and_says_what_is_gone():
    told, at = restored(Random(4))
    verdict = judged(told)
    assert verdict.outcome == "sound"
    (text,) = verdict.restored
    before = told.sealed[0].incarnation
    gone = told.sealed[2].size - at
    assert f"backup of {at} events of the incarnation {before}; at least {gone} events" in text


def test_what_was_sealed_before_the_restore_and_kept_is_still_judged():
    told, at = restored(Random(4))
    assert at == 12
    with closing(told.opened()) as database:
        database.execute(EDIT, [6])
        told.sealed.pop()
        verdict = told.judged(database)
    assert (verdict.outcome, verdict.damage.kind, verdict.damage.rank) == ("changed", "edited", 5)


def test_a_restore_that_no_later_checkpoint_vouches_for_is_not_believed():
    told, _ = restored(Random(4), resealed=False)
    verdict = judged(told)
    assert verdict.outcome == "cannot tell"
    assert "no checkpoint of the time after" in verdict.why


def test_of_two_restores_the_last_one_must_be_vouched_for():
    story = Story(POPOApplicationRecorder())
    story.ledger.begin(OPERATOR)
    sealed, tiles, chance = [], {}, Random(5)
    for kept in (30, 20, None):
        live(story, chance, 20)
        whole, name = whole_of(story), story.ledger.begin(OPERATOR).incarnation or ""
        sealed.append(checkpoint(name, whole.count, whole.root()))
        tiles[name] = whole
        story = put_back(story, chance, kept) if kept else story
    told = stored(story, sealed, tiles, 0, Random(0))
    # The second backup was older than the first restore, and so that one is not in the log.
    assert len(judged(told).restored) == 1
    assert judged(told).outcome == "cannot tell"
    del told.sealed[1]
    assert judged(told).outcome == "sound"


def test_each_of_several_restores_is_named_and_the_last_must_be_vouched_for():
    story = Story(POPOApplicationRecorder())
    story.ledger.begin(OPERATOR)
    sealed, tiles, chance = [], {}, Random(5)
    for kept in (20, 40, None):
        live(story, chance, 30)
        whole, name = whole_of(story), story.ledger.begin(OPERATOR).incarnation or ""
        sealed.append(checkpoint(name, whole.count, whole.root()))
        tiles[name] = whole
        story = put_back(story, chance, kept) if kept else story
    told = stored(story, sealed, tiles, 0, Random(0))
    assert len(judged(told).restored) == 2
    assert judged(told).outcome == "sound"
    del told.sealed[2]
    assert judged(told).outcome == "cannot tell"


def test_an_event_that_pretends_a_restore_hides_no_change():
    sealed = Scene()
    last = 12
    row = told_of(put_back(sealed.story, Random(0), kept=last))[-1]
    with closing(sealed.told.opened()) as database:
        database.execute("UPDATE stored_events SET rowid = -rowid - 1 WHERE rowid > ?", [last])
        database.execute("UPDATE stored_events SET rowid = -rowid WHERE rowid < 0")
        values = (last + 1, row.originator_id.hex, row.originator_version, row.topic, row.state)
        database.execute(
            "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state) "
            "VALUES (?, ?, ?, ?, ?)",
            values,
        )
        verdict, coarse = (sealed.told.judged(database, tiles=each) for each in (True, False))
    assert (verdict.outcome, verdict.damage.kind) == ("changed", "inserted")
    assert verdict.damage.rank == last
    assert coarse.outcome == "cannot tell"


def test_a_checkpoint_of_an_unknown_incarnation_of_a_restored_log_cannot_be_judged():
    told, _ = restored(Random(4))
    told.sealed.append(checkpoint("f" * 32, 5, bytes(32)))
    told.tiles["f" * 32] = Leaves(0, lambda number: b"")
    verdict = judged(told)
    assert verdict.outcome == "cannot tell"
    assert "f" * 32 in verdict.why
