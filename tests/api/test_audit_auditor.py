"""The auditor: when it signs, what it lays down, and when it refuses to."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from uuid import uuid4

import pytest

from api.audit import auditor as auditing
from api.audit.auditor import ENOUGH
from api.audit.note import NodeKey, Verifier, origin_of
from api.audit.place import LocalPlace, PlaceFailed, key_name, tile
from api.audit.proof import Proof
from domain.refusals import Unavailable
from projections.position import Position
from projections.rebuild import rebuild
from projections.seal import Seal, leaf
from tests.audited import KEY, Audited
from tests.facts import OPERATOR

OTHER = NodeKey(bytes(32))


@pytest.fixture
def audited(tmp_path, events_url):
    audited = Audited(tmp_path, url=events_url)
    yield audited
    audited.stop()


def leaves(audited: Audited) -> list[bytes]:
    return list(map(leaf, audited.story.recorder.select_notifications(None, 1_000_000)))


def tiles(audited: Audited, size: int) -> bytes:
    """The tiles of the newest incarnation, joined, as an auditor would fetch them."""
    incarnation = audited.sealed()[-1].incarnation
    full, width = divmod(size, 256)
    names = [tile(incarnation, number) for number in range(full)]
    names += [tile(incarnation, full, width)] if width else []
    return b"".join(audited.place.get(name) for name in names)


def partials(audited: Audited) -> list[str]:
    root = audited.place.folder
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.p/*"))


def sql_swap(first: int, second: int) -> list[str]:
    return [
        f"UPDATE stored_events SET rowid = -1 WHERE rowid = {first}",
        f"UPDATE stored_events SET rowid = {first} WHERE rowid = {second}",
        f"UPDATE stored_events SET rowid = {second} WHERE rowid = -1",
    ]


EDIT = ["UPDATE stored_events SET state = CAST(replace(state, 'system', 'nobody') AS BLOB)"]
TAMPERINGS = {
    "edit": [f"{EDIT[0]} WHERE rowid = 2"],
    "swap": sql_swap(2, 3),
    "delete": ["DELETE FROM stored_events WHERE rowid = 2"],
    "insert": [
        "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state) "
        f"VALUES (-1, '{uuid4().hex}', 1, 'limits.set', x'7b7d')"
    ],
}


def test_the_first_step_with_news_signs_the_whole_log(audited):
    audited.step()
    (name,) = audited.sealed()
    checkpoint = audited.read(name)
    assert checkpoint.size == name.size == audited.count() == 1
    assert checkpoint.root == Seal().grown(leaves(audited)).root
    incarnation = audited.story.ledger.begin(OPERATOR).incarnation
    assert checkpoint.origin == origin_of(incarnation)


def test_nothing_is_signed_without_an_event(tmp_path):
    audited = Audited(tmp_path / "begun")
    audited.alter("DELETE FROM stored_events")
    audited.step()
    assert audited.sealed() == []
    audited.stop()


def test_auditors_get_the_nodes_key(audited):
    audited.step()
    text = audited.place.get(key_name(audited.key.name)).decode()
    assert Verifier.read(text) == audited.key.verifier


def test_without_news_nothing_is_signed_again(audited):
    audited.step()
    signed_at = audited.state.at
    audited.step(hours=1)
    audited.close()
    audited.start()
    audited.step(hours=1)
    audited.close()
    assert audited.sizes() == [1]
    assert audited.state.at == signed_at


def test_news_is_signed_a_minute_after_the_last_checkpoint(audited):
    audited.step()
    audited.happens(2)
    audited.step(seconds=59.9)
    assert audited.sizes() == [1]
    audited.step(seconds=0.1)
    assert audited.sizes() == [1, 3]


def test_after_a_quiet_hour_news_is_signed_at_once(audited):
    audited.step()
    audited.step(hours=1)
    audited.happens(1)
    audited.step()
    assert audited.sizes() == [1, 2]


def test_a_clock_that_is_set_back_keeps_nothing_unsigned(audited):
    audited.step()
    audited.happens(1)
    audited.step(hours=-1)
    assert audited.sizes() == [1, 2]


def test_so_many_events_are_signed_at_once(audited, monkeypatch):
    monkeypatch.setattr(auditing, "ENOUGH", 10)
    audited.step()
    audited.happens(9)
    audited.step(seconds=1)
    assert audited.sizes() == [1]
    audited.happens(1)
    audited.step(seconds=1)
    assert audited.sizes() == [1, 11]
    assert ENOUGH == 1000


def test_the_last_step_signs_whatever_is_new(audited):
    audited.step()
    audited.happens(1)
    audited.close()
    assert audited.sizes() == [1, 2]


def test_the_last_step_works_through_a_long_log_and_no_longer_than_it_may(audited, monkeypatch):
    monkeypatch.setattr(auditing, "STEP_EVENTS", 1000)
    audited.happens(2500)
    monkeypatch.setattr(auditing, "CLOSING_SECONDS", 0.0)
    audited.close()
    assert audited.sizes() == []
    monkeypatch.setattr(auditing, "CLOSING_SECONDS", 60.0)
    audited.close()
    assert audited.sizes() == [2501]


def test_a_new_process_goes_on_where_the_last_one_was(audited):
    audited.step()
    audited.happens(300)
    audited.start()
    audited.step(seconds=59)
    assert audited.sizes() == [1]
    audited.step(seconds=1)
    assert audited.sizes() == [1, 301]


@pytest.mark.parametrize("sizes", [[1], [255], [256], [257], [100, 300, 512, 700], [1, 1025]])
def test_the_tiles_make_the_root_of_the_newest_checkpoint(audited, sizes):
    for size in sizes:
        audited.happens(size - audited.count())
        audited.step(minutes=1)
    assert audited.sizes() == sizes
    joined = tiles(audited, sizes[-1])
    assert joined == b"".join(leaves(audited))
    seal = Seal().grown([joined[at : at + 32] for at in range(0, len(joined), 32)])
    assert seal.root == audited.read(audited.sealed()[-1]).root


def test_only_the_newest_checkpoints_partial_tile_is_kept(audited):
    incarnation = audited.story.ledger.begin(OPERATOR).incarnation
    for size, kept in ((1, "000.p/1"), (2, "000.p/2"), (300, "001.p/44"), (301, "001.p/45")):
        audited.happens(size - audited.count())
        audited.step(minutes=1)
        assert partials(audited) == [f"tiles/{incarnation}/tile/0/{kept}"]
    audited.happens(512 - audited.count())
    audited.step(minutes=1)
    assert partials(audited) == []


def test_a_long_log_is_worked_through_in_short_steps(audited, monkeypatch):
    monkeypatch.setattr(auditing, "STEP_EVENTS", 1000)
    audited.happens(3500)
    for _ in range(3):
        audited.step()
        assert audited.sizes() == []
    audited.step()
    assert audited.sizes() == [3501]
    audited.start()
    audited.happens(1)
    for _ in range(3):
        audited.step(minutes=1)
        assert audited.sizes() == [3501]
    audited.step()
    assert audited.sizes() == [3501, 3502]
    assert tiles(audited, 3502) == b"".join(leaves(audited))


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_an_altered_log_is_not_signed_again_after_a_start(audited, tampering, caplog):
    audited.happens(9)
    audited.step()
    audited.alter(*TAMPERINGS[tampering])
    audited.forget()  # so that the follower notices nothing
    audited.happens(1)
    audited.start()
    for _ in range(4):
        audited.step(seconds=30)
    audited.close()
    assert audited.sizes() == [10]
    told = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(told) == 2
    assert "altered" in told[0].getMessage()
    assert audited.state.altered.since < audited.story.clock.now


def test_an_altered_log_is_not_signed_with_other_read_tables(audited):
    audited.happens(9)
    audited.step()
    audited.alter(*TAMPERINGS["edit"])
    audited.forget()
    audited.happens(1)
    audited.step(minutes=1)
    assert audited.sizes() == [10]
    assert "first 10 events" in audited.state.altered.why


def test_a_rebuild_of_an_honest_log_changes_nothing(audited):
    audited.happens(9)
    audited.step()
    rebuild(audited.story.recorder, audited.node.tables)
    audited.happens(1)
    audited.step(minutes=1)
    assert audited.sizes() == [10, 11]
    assert audited.state.altered is None


def test_a_cut_and_grown_log_is_not_signed(audited):
    audited.happens(9)
    audited.step()
    audited.alter("DELETE FROM stored_events WHERE rowid > 5")
    audited.forget()
    audited.step(minutes=2)
    assert "ends after 5" in audited.state.altered.why
    audited.happens(20)
    audited.step(minutes=2)
    assert audited.sizes() == [10]


def test_what_the_follower_finds_altered_is_told(audited):
    audited.happens(9)
    audited.step()
    audited.alter("DELETE FROM stored_events WHERE rowid = 10")
    audited.step(minutes=1)
    assert "not the one that this node has read" in audited.state.altered.why


def test_events_that_were_altered_before_they_were_signed_are_not(audited):
    audited.step()
    audited.happens(5)
    with audited.node.follower.caught_up():
        pass
    audited.alter(*TAMPERINGS["edit"])
    audited.step(minutes=1)
    since = audited.story.clock.now
    for _ in range(2):
        audited.step(minutes=1)
        assert audited.sizes() == [1]
        assert "read tables" in audited.state.altered.why
        assert audited.state.altered.since == since


def test_a_log_that_is_put_right_is_signed_again(audited):
    audited.happens(9)
    audited.step()
    audited.alter(*sql_swap(2, 3))
    audited.forget()
    audited.happens(1)
    audited.step(minutes=1)
    assert audited.state.altered
    audited.alter(*sql_swap(2, 3))
    audited.forget()
    audited.step(seconds=59)
    assert audited.state.altered
    audited.step(seconds=1)
    assert audited.state.altered is None
    assert audited.sizes() == [10, 11]


def test_what_was_altered_is_remembered_over_a_start(audited):
    test_an_altered_log_is_not_signed_with_other_read_tables(audited)
    since = audited.state.altered.since
    audited.start()
    audited.step(hours=1)
    assert audited.state.altered.since == since


def test_a_log_is_altered_until_all_of_it_has_proven_otherwise(audited, monkeypatch):
    monkeypatch.setattr(auditing, "STEP_EVENTS", 1000)
    audited.happens(2500)
    audited.close()
    audited.alter(f"{EDIT[0]} WHERE rowid = 2400")
    audited.forget()
    for _ in range(7):
        audited.step(minutes=1)
        assert audited.sizes() == [2501]
    since = audited.state.altered.since
    for _ in range(4):
        audited.step(minutes=1)
        assert audited.state.altered.since == since


def test_a_checkpoint_that_vanished_is_missed_all_the_same(audited):
    audited.happens(9)
    audited.step()
    audited.place.remove(audited.sealed()[0].name)
    audited.alter(*TAMPERINGS["edit"])
    audited.forget()
    audited.start()
    audited.step(minutes=1)
    assert audited.sizes() == []
    assert audited.state.altered


@pytest.mark.parametrize("content", [b"nonsense", b"\xff", b""])
def test_a_checkpoint_that_was_altered_is_no_reason_to_trust_the_log(audited, content):
    audited.step()
    path = audited.place.folder / audited.sealed()[0].name
    path.write_bytes(content)
    audited.happens(1)
    audited.start()
    audited.step(minutes=1)
    assert audited.sizes() == [1]
    assert "in the audit place was altered" in audited.state.altered.why


def test_a_checkpoint_under_anothers_name_is_no_evidence(audited):
    audited.step()
    audited.happens(1)
    audited.step(minutes=1)
    first, second = (audited.place.folder / each.name for each in audited.sealed())
    second.write_bytes(first.read_bytes())
    audited.start()
    audited.step(minutes=1)
    assert "another name" in audited.state.altered.why


def test_two_nodes_share_a_place_and_hold_each_other_to_what_they_signed(audited, tmp_path):
    other = Audited(tmp_path, key=OTHER, url=audited.url)
    for happening, each in enumerate((audited, other, audited, other)):
        each.happens(happening)
        each.step(minutes=happening)
    assert audited.sizes() == [1, 2, 4, 7]
    assert {each.key for each in audited.sealed()} == {audited.key.name, OTHER.name}
    assert tiles(audited, 7) == b"".join(leaves(audited))
    third = Audited(tmp_path, key=NodeKey(b"3" * 32), url=audited.url)
    third.alter(*TAMPERINGS["edit"])
    third.forget()
    third.step(minutes=1)
    assert third.state.altered
    for each in (other, third):
        each.stop()


def test_a_node_with_a_new_key_goes_on_from_what_the_old_one_signed(audited, caplog):
    audited.happens(9)
    audited.step()
    state = audited.folder / f"{audited.key.name}.json"
    shutil.copy(state, audited.folder / f"{OTHER.name}.json")
    audited.key = OTHER
    audited.start()
    audited.step(minutes=1)
    assert "not its own" in caplog.text
    assert {(each.size, each.key) for each in audited.sealed()} == {
        (10, KEY.name),
        (10, OTHER.name),
    }
    audited.alter(*TAMPERINGS["edit"])
    audited.forget()
    audited.happens(1)
    audited.step(minutes=1)
    assert audited.state.altered


def test_a_store_that_does_not_answer_is_no_altered_log(audited):
    audited.happens(9)
    audited.step()
    audited.happens(1)
    audited.start()
    audited.alter("ALTER TABLE stored_events RENAME TO away")
    with pytest.raises(Unavailable):
        audited.step(minutes=1)
    with pytest.raises(Unavailable):
        Proof(audited.story.recorder, audited.place, KEY.verifier, None)
    audited.alter("ALTER TABLE away RENAME TO stored_events")
    audited.step()
    assert audited.sizes() == [10, 11]
    assert audited.state.altered is None


def test_a_node_knows_its_own_key_though_somebody_took_it_away(audited):
    audited.happens(9)
    audited.step()
    audited.place.remove(key_name(audited.key.name))
    (audited.folder / f"{audited.key.name}.json").unlink()
    audited.alter(*TAMPERINGS["edit"])
    audited.forget()
    audited.start()
    audited.step(minutes=1)
    assert audited.sizes() == [10]
    assert audited.state.altered


def test_a_checkpoint_by_a_key_that_is_not_there_counts_for_nothing(audited, caplog):
    (audited.place.folder / "checkpoints").mkdir(parents=True)
    incarnation = audited.story.ledger.begin(OPERATOR).incarnation
    audited.place.put(f"checkpoints/{incarnation}/000000000001-stranger", b"whatever")
    audited.step()
    assert audited.sizes() == [1, 1]
    assert "stranger" in caplog.text


def restored(audited: Audited, count: int) -> str:
    return audited.story.ledger.begin_anew(count, OPERATOR).incarnation


def test_a_restored_log_is_signed_under_a_new_origin_from_its_whole_size_on(audited):
    audited.happens(9)
    audited.step()
    incarnation = restored(audited, 10)
    audited.step()
    assert [each.size for each in audited.sealed() if each.incarnation == incarnation] == [11]
    audited.happens(300)
    audited.step(minutes=1)
    (name,) = [each for each in audited.sealed() if each.size == 311]
    assert audited.read(name).origin == origin_of(incarnation)
    names = [tile(incarnation, 0), tile(incarnation, 1, 55)]
    assert b"".join(audited.place.get(each) for each in names) == b"".join(leaves(audited))


@pytest.mark.parametrize("remembered", [True, False])
def test_what_a_restore_kept_is_still_what_was_signed(audited, remembered):
    audited.happens(9)
    audited.step()
    if not remembered:
        (audited.folder / f"{audited.key.name}.json").unlink()
        audited.start()
    audited.alter(*TAMPERINGS["edit"])
    audited.forget()
    restored(audited, 10)
    audited.step(minutes=1)
    assert audited.sizes() == [10]
    assert "first 10 events" in audited.state.altered.why


def test_what_was_altered_is_of_its_incarnation_and_no_verdict_on_the_next(audited):
    audited.happens(9)
    audited.step()
    audited.alter("DELETE FROM stored_events WHERE rowid > 7")
    audited.step(minutes=1)
    assert audited.state.altered
    restored(audited, 7)
    with audited.node.follower.caught_up():  # as another process of the node does
        pass
    audited.step()
    assert audited.state.altered is None
    assert sorted(audited.sizes()) == [8, 10]


def test_what_a_restore_took_away_is_asked_of_nobody(audited):
    audited.happens(4)
    audited.step()
    audited.happens(5)
    audited.step(minutes=1)
    audited.alter("DELETE FROM stored_events WHERE rowid > 7")
    restored(audited, 7)
    audited.step(minutes=1)
    assert sorted(audited.sizes()) == [5, 8, 10]
    assert audited.state.altered is None


def test_whoever_pretends_a_restore_is_found_out(audited):
    audited.happens(9)
    audited.step()
    audited.alter(*TAMPERINGS["edit"])
    audited.forget()
    restored(audited, 1)
    audited.step(minutes=1)
    assert audited.sizes() == [10]
    assert "how it was restored" in audited.state.altered.why


def test_a_log_that_says_no_more_which_it_is_is_not_signed(audited):
    audited.happens(2)
    audited.step()
    audited.alter("DELETE FROM stored_events WHERE topic = 'log.begun'")
    audited.forget()
    audited.step(minutes=1)
    assert audited.sizes() == [3]
    assert "says no more which log it is" in audited.state.altered.why


def test_a_log_whose_own_events_cannot_be_read_is_not_signed(audited):
    audited.happens(1)
    audited.step()
    audited.alter("UPDATE stored_events SET state = x'00' WHERE topic = 'log.begun'")
    audited.start()
    audited.step(minutes=1)
    assert audited.sizes() == [2]
    assert "cannot be read" in audited.state.altered.why


class Failing(LocalPlace):
    """A place that fails at a put, before it or right after it."""

    def __init__(self, folder, at: int, after: bool) -> None:
        super().__init__(folder)
        self._left, self._after = at, after

    def put(self, name: str, content: bytes) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise KeyboardInterrupt
        super().put(name, content)
        if self._left == 0:
            raise KeyboardInterrupt

    def remove(self, name: str) -> None:
        if self._left <= 1:
            raise KeyboardInterrupt
        super().remove(name)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 7))
def test_whenever_it_is_killed_nothing_is_lost(audited, at, after):
    """The puts of the second checkpoint: the key, three tiles, the tail, the note; the removals."""
    audited.happens(99)
    audited.step()
    audited.happens(800)
    audited.start(Failing(audited.place.folder, at, after))
    with pytest.raises(KeyboardInterrupt):
        audited.step(minutes=1)
    audited.happens(1)
    audited.start()
    audited.step(minutes=1)
    assert audited.sizes()[0] == 100
    assert audited.sizes()[-1] == 901
    assert tiles(audited, 901) == b"".join(leaves(audited))
    assert len(partials(audited)) == 1
    assert audited.state.altered is audited.state.failing is None


def test_killed_between_the_note_and_the_removal_the_old_partial_tile_goes_at_the_next_start(
    audited,
):
    audited.happens(99)
    audited.step()
    audited.happens(1)
    audited.start(Failing(audited.place.folder, 4, True))
    with pytest.raises(KeyboardInterrupt):
        audited.step(minutes=1)
    assert len(partials(audited)) == 2
    audited.start()
    audited.step()
    assert len(partials(audited)) == 1
    assert audited.sizes() == [100, 101]


def test_a_place_that_fails_is_told_and_tried_again_after_a_minute(audited, caplog):
    audited.place.folder.write_text("no folder")
    for _ in range(4):
        audited.step(seconds=20)
    told = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(told) == 2
    assert audited.state.failing.since < audited.story.clock.now
    assert str(audited.place.folder) in audited.state.failing.why
    audited.place.folder.unlink()
    audited.step(minutes=1)
    assert audited.state.failing is None
    assert audited.sizes() == [1]


class FullOnce(LocalPlace):
    """A place without room for one put."""

    def __init__(self, folder, at: int) -> None:
        super().__init__(folder)
        self._left = at

    def put(self, name: str, content: bytes) -> None:
        self._left -= 1
        if self._left == 0:
            raise PlaceFailed("no space left")
        super().put(name, content)


@pytest.mark.parametrize("at", range(1, 7))
def test_what_a_place_had_no_room_for_is_laid_when_it_has(audited, at):
    audited.happens(99)
    audited.step()
    audited.happens(800)
    audited.start(FullOnce(audited.place.folder, at))
    audited.step(minutes=1)
    assert "no space left" in audited.state.failing.why
    assert audited.sizes() == [100]
    audited.step(minutes=1)
    assert audited.state.failing is None
    assert audited.sizes() == [100, 900]
    assert tiles(audited, 900) == b"".join(leaves(audited))


def test_a_place_that_fails_is_tried_once_more_at_the_end(audited):
    audited.place.folder.write_text("no folder")
    audited.step()
    audited.place.folder.unlink()
    audited.close()
    assert audited.sizes() == [1]


def test_a_tile_of_other_events_is_told_and_never_replaced(audited):
    incarnation = audited.story.ledger.begin(OPERATOR).incarnation
    audited.place.put(tile(incarnation, 0, 1), b"other")
    audited.step()
    assert "is there already" in audited.state.failing.why
    assert audited.sizes() == []
    assert audited.place.get(tile(incarnation, 0, 1)) == b"other"


def test_in_a_new_place_every_tile_is_laid_anew(audited, tmp_path):
    audited.happens(700)
    audited.step()
    audited.place = LocalPlace(tmp_path / "elsewhere")
    audited.start()
    audited.happens(1)
    audited.step(minutes=1)
    assert audited.sizes() == [702]
    assert tiles(audited, 702) == b"".join(leaves(audited))


def test_the_state_is_what_other_processes_read(audited):
    audited.happens(9)
    audited.step()
    audited.happens(1)
    read = auditing.StateFile(audited.folder / f"{audited.key.name}.json").state
    assert read == audited.state
    assert (read.size, read.position) == (10, 10)
    assert read.at == audited.story.clock.now
    assert (audited.folder / f"{audited.key.name}.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", '{"size": "many"}'])
def test_a_damaged_state_is_no_state(audited, content, caplog):
    audited.step()
    (audited.folder / f"{audited.key.name}.json").write_text(content)
    audited.start()
    assert "cannot be read" in caplog.text
    audited.happens(1)
    audited.step()
    assert audited.sizes() == [1, 2]


def test_a_state_that_cannot_be_written_is_told(audited):
    audited.auditor._file._path = audited.place.folder / "x" / "state"
    audited.place.folder.mkdir()
    (audited.place.folder / "x").write_text("no folder")
    with pytest.raises(PlaceFailed, match="cannot be written"):
        audited.step()


def test_the_tables_may_not_know_other_events_than_the_log(audited, monkeypatch):
    audited.step()
    audited.happens(2)
    stored = Position.stored
    monkeypatch.setattr(
        Position, "stored", lambda database: replace(stored(database), frontier="ab" * 64)
    )
    audited.step(minutes=1)
    assert audited.sizes() == [1]
    assert "read tables" in audited.state.altered.why
