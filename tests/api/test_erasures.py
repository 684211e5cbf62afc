"""Who was removed stands on a list, by id alone, and is removed again wherever it is back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from api.access.erasures import Erasure, Erasures, UnreadableErasures
from domain.access.user import User
from domain.conditions import OwnerId
from domain.refusals import NotThere
from tests.facts import NOON, OPERATOR
from tests.household import Crash

IDS = [f"{number:032x}" for number in range(1, 20)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "erasures.jsonl"


def line(user_id: str = IDS[0], erased_at: str = "2026-11-24T12:00:00Z", **more: str) -> str:
    fields = {"user_id": user_id, "erased_at": erased_at, **more}
    return "{" + ",".join(f'"{name}":"{value}"' for name, value in fields.items()) + "}"


# The list


def test_what_is_added_is_read_again_and_once(path):
    erasures = Erasures(path)
    assert erasures.read() == []
    one, two = (Erasure(each, NOON) for each in IDS[:2])
    erasures.add([one])
    erasures.add([two, Erasure(one.user_id, NOON + timedelta(days=1))])
    assert Erasures(path).read() == [one, two]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == f"{line(IDS[0])}\n{line(IDS[1])}\n"


def test_many_add_at_a_time_and_none_is_lost(path):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: Erasures(path).add([Erasure(each, NOON)]), IDS))
    assert sorted(each.user_id for each in Erasures(path).read()) == IDS


def test_a_list_that_somebody_brings_must_be_whole(path):
    Erasures(path).add([Erasure(each, NOON) for each in IDS[:2]])
    assert len(Erasures(path).read(whole=True)) == 2
    path.write_text(path.read_text()[:-20])
    with pytest.raises(UnreadableErasures, match="line 2"):
        Erasures(path).read(whole=True)


@pytest.mark.parametrize("cut", range(len(line()) + 1))
def test_a_line_that_was_cut_off_is_no_erasure_and_no_hindrance(path, cut):
    erasures = Erasures(path)
    erasures.add([Erasure(IDS[1], NOON)])
    with path.open("a") as file:
        file.write(line()[:cut])
    whole = IDS[:1] if cut == len(line()) else []
    assert [each.user_id for each in erasures.read()] == [IDS[1], *whole]
    erasures.add([Erasure(IDS[1], NOON)])
    assert path.read_text() == "".join(f"{line(each)}\n" for each in [IDS[1], *whole])
    erasures.add([Erasure(IDS[2], NOON)])
    assert [each.user_id for each in erasures.read()] == [IDS[1], *whole, IDS[2]]


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "no JSON",
        "[]",
        line("A" * 32),
        line("a" * 31),
        line("Ann"),
        line(erased_at="today"),
        line(name="Ann"),
        '{"user_id":"' + "a" * 32 + '"}',
    ],
)
def test_a_line_that_is_none_is_named(path, wrong):
    path.parent.mkdir()
    path.write_text(f"{line()}\n{wrong}\n{line(IDS[1])}\n")
    with pytest.raises(UnreadableErasures, match=r"erasures.jsonl, line 2, is no erasure: "):
        Erasures(path).read()


# Removing


def on_the_list(house) -> list[str]:
    return [each.user_id for each in house.erasures.read()]


def test_who_is_removed_is_on_the_list_without_a_name(house):
    user_id = house.add("Ann").user_id
    house.people.remove_user("Ann", OPERATOR)
    assert house.erasures.read() == [Erasure(user_id, NOON)]
    assert "Ann" not in (house.folder / "erasures.jsonl").read_text()


def test_the_vault_forgets_nobody_who_is_not_on_the_list(house):
    user_id = house.add("Ann").user_id

    def fail(_):
        raise OSError

    house.erasures.add, add = fail, house.erasures.add
    with pytest.raises(OSError):
        house.people.remove_user("Ann", OPERATOR)
    assert house.vault.name_of(user_id) == "Ann"
    house.erasures.add = add
    house.people.remove_user("Ann", OPERATOR)
    assert house.vault.name_of(user_id) is None
    assert on_the_list(house) == [user_id]


def test_a_removal_that_crashes_before_the_vault_forgets_is_on_the_list_already(house):
    user_id = house.add("Ann").user_id
    with house.crashing(3, False), pytest.raises(Crash):
        house.people.remove_user("Ann", OPERATOR)
    assert house.vault.name_of(user_id) == "Ann"
    assert on_the_list(house) == [user_id]
    house.people.remove_user("Ann", OPERATOR)
    assert on_the_list(house) == [user_id]


# Removing again


def test_who_is_on_a_list_goes_with_rights_keys_tasks_and_name(house):
    made, ben = house.add("Ann"), house.add("Ben")
    house.story.create(OwnerId("p1", made.user_id))
    again = [Erasure(made.user_id, NOON), Erasure(IDS[0], NOON), Erasure(made.user_id, NOON)]
    assert house.removal.again(again, OPERATOR) == [made.user_id]
    assert house.story.told()[-4:] == [
        "user.removed",
        "project.left",
        "task.evicted",
        "owner.closed",
    ]
    assert [each.user_id for each in house.people.list_users()] == [ben.user_id]
    assert house.vault.name_of(made.user_id) is None
    with pytest.raises(NotThere):
        house.vault.secret_of(made.access_key)
    assert on_the_list(house) == [made.user_id, IDS[0]]
    head = house.story.head()
    assert house.removal.again(again, OPERATOR) == []
    assert house.story.head() == head


def test_whose_removal_was_not_ended_is_gone_in_the_end(house):
    made = house.add("Ann")
    with house.crashing(2, False), pytest.raises(Crash):
        house.people.remove_user("Ann", OPERATOR)
    assert house.removal.again([Erasure(made.user_id, NOON)], OPERATOR) == [made.user_id]
    assert house.vault.name_of(made.user_id) is None
    assert house.story.told().count(User.Removed.TOPIC) == 1


def test_a_name_that_was_claimed_and_no_more_goes_too(house):
    with house.crashing(2, False), pytest.raises(Crash):
        house.add("Ann")
    user_id = house.vault.user_id_of("Ann")
    assert house.removal.again([Erasure(user_id, NOON)], OPERATOR) == [user_id]
    assert house.vault.user_id_of("Ann") is None
