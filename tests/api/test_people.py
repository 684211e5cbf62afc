"""People: what operators do to users, interrupted anywhere, and what passwords and keys open."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from api.access.passwords import PASSWORD_LONGEST, PASSWORD_SHORTEST
from api.access.people import KEY_LIVES_AT_LEAST, KEY_LIVES_AT_MOST, People
from api.access.permissions import permission
from api.access.signatures import NotAuthentic
from domain.access.policy import Judgement
from domain.access.project import Project
from domain.access.user import User
from domain.conditions import OwnerId
from domain.owner import Owner
from domain.refusals import AlreadyThere, Invalid, NotThere, OwnerClosed
from projections.rows import KeyRow, MemberRow
from tests.facts import NOON, OPERATOR
from tests.household import Crash
from tests.policies import policy, said

PASSWORD = "correct horse"


@pytest.fixture
def people(house):
    return house.people


def opens(house, name, password):
    """Whose door a name and a password open."""
    try:
        return house.people.check_password(name, password).user_id
    except NotAuthentic:
        return None


# Adding


def test_a_user_is_added_with_rights_a_key_and_a_password(house, people):
    start = house.story.head()
    credentials = house.add("Ann", PASSWORD)
    user_id, key = credentials.user_id, credentials.access_key
    told = house.story.told(start)
    assert told == [
        Project.Joined.TOPIC,
        User.Added.TOPIC,
        User.Granted.TOPIC,
        User.KeyAdded.TOPIC,
        User.PasswordSet.TOPIC,
    ]
    assert re.fullmatch("[0-9a-f]{32}", user_id)
    assert re.fullmatch("[A-Z0-9]{20}", key)
    assert re.fullmatch("[A-Za-z0-9]{40}", credentials.secret_key)
    assert credentials.security_token is None
    assert house.queries.member("p1", user_id) == MemberRow("p1", user_id, True, None)
    assert house.queries.key(key) == KeyRow(key, user_id, False, None)
    assert people.secret_of(key).secret_key == credentials.secret_key
    assert people.user_id_of("ANN") == user_id
    assert people.name_of(user_id) == "Ann"
    assert opens(house, "ann", PASSWORD) == user_id


def test_no_event_holds_a_name_a_password_or_a_secret(house):
    credentials = house.add("Ann Example", PASSWORD)
    stored = house.log.recorder.select_notifications(None, 1000)
    state = b"".join(bytes(each.state) for each in stored)
    for text in ("Ann", PASSWORD, credentials.secret_key):
        assert text.encode() not in state


def test_credentials_do_not_show_their_secrets(house, people):
    house.add()
    credentials = people.add_key("Ann", timedelta(hours=1), OPERATOR)
    assert credentials.secret_key not in repr(credentials)
    assert credentials.security_token not in repr(credentials)


def test_a_user_without_a_password_has_no_door_to_open(house):
    house.add("Ann")
    assert opens(house, "Ann", "") is None
    assert house.rows() == {"people": 1, "secrets": 1, "passwords": 0}


def test_a_name_is_one_users_in_whatever_case(house, people):
    first = house.add("Ann", PASSWORD)
    start = house.story.head()
    with pytest.raises(AlreadyThere, match="The user 'ANN' exists already"):
        house.add("ANN", "another password")
    assert house.story.head() == start
    assert opens(house, "Ann", PASSWORD) == first.user_id
    assert opens(house, "Ann", "another password") is None
    assert house.rows() == {"people": 1, "secrets": 1, "passwords": 1}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [({"project_id": "p9"}, NotThere), ({"admin": False, "policy": "no policy"}, Invalid)],
)
def test_a_user_that_is_refused_leaves_nothing_behind(house, changes, refusal):
    start = house.story.head()
    with pytest.raises(refusal):
        house.add("Ann", PASSWORD, **changes)
    assert house.rows() == {"people": 0, "secrets": 0, "passwords": 0}
    house.add("Ann", PASSWORD)
    assert house.story.told(start)[0] == Project.Joined.TOPIC


@pytest.mark.parametrize("name", ["a", "n" * 64, "Zoë O'Neill-☃ 9"])
def test_names_that_are_taken(house, people, name):
    assert people.name_of(house.add(name).user_id) == name


@pytest.mark.parametrize("name", ["", "n" * 65, " a", "a\n", "a\x00", "\ud800"])
def test_names_that_are_not_taken(house, name):
    with pytest.raises(Invalid, match="'name' must be 1 to 64 printable characters"):
        house.add(name)
    assert house.rows() == {"people": 0, "secrets": 0, "passwords": 0}


@pytest.mark.parametrize("length", [PASSWORD_SHORTEST, PASSWORD_LONGEST])
def test_passwords_that_are_taken(house, length):
    assert house.add("Ann", "ä" * length).user_id == opens(house, "Ann", "ä" * length)


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("p" * (PASSWORD_SHORTEST - 1), "must be 8 to 128 characters"),
        ("p" * (PASSWORD_LONGEST + 1), "must be 8 to 128 characters"),
        ("password\ud800", "must be valid Unicode"),
    ],
)
def test_passwords_that_are_not_taken(house, people, password, rule):
    with pytest.raises(Invalid, match=f"'password' {rule}"):
        house.add("Ann", password)
    house.add("Ann", PASSWORD)
    with pytest.raises(Invalid, match=f"'password' {rule}"):
        people.set_password("Ann", password, OPERATOR)
    assert opens(house, "Ann", PASSWORD)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_an_add_that_crashes_anywhere_may_be_repeated(house, people, write, after):
    with house.crashing(write, after), pytest.raises(Crash):
        house.add("Ann", "password of the first try")
    if (write, after) == (4, True):  # the append has landed: the user is there
        with pytest.raises(AlreadyThere, match="The user 'Ann' exists already"):
            house.add("Ann", PASSWORD)
        credentials = people.add_key("Ann", None, OPERATOR)
        people.set_password("Ann", PASSWORD, OPERATOR)
    else:
        assert opens(house, "Ann", "password of the first try") is None
        assert people.list_users() == []
        with pytest.raises(NotThere):
            people.user_id_of("Ann")
        with pytest.raises(NotThere):
            people.remove_user("Ann", OPERATOR)
        credentials = house.add("Ann", PASSWORD)
    assert opens(house, "Ann", PASSWORD) == credentials.user_id
    assert opens(house, "Ann", "password of the first try") is None
    assert [person.name for person in people.list_users()] == ["Ann"]
    assert house.rows()["people"] == 1


@pytest.mark.parametrize(
    ("write", "after"), [(write, after) for write in range(1, 6) for after in (False, True)]
)
def test_a_take_over_that_crashes_anywhere_may_be_repeated(house, write, after):
    with house.crashing(2, False), pytest.raises(Crash):
        house.add("Ann", PASSWORD)
    with house.crashing(write, after), pytest.raises(Crash):
        house.add("Ann", PASSWORD)
    credentials = house.add("Ann", PASSWORD)
    assert opens(house, "Ann", PASSWORD) == credentials.user_id
    assert house.rows() == {"people": 1, "secrets": 1, "passwords": 1}


@pytest.mark.parametrize(
    ("part", "step"),
    [("vault", "keep_password"), ("vault", "keep_secret"), ("register", "add_user")],
)
def test_of_two_adds_of_a_name_at_the_same_time_the_slower_fails(house, people, part, step):
    quicker = People(house.register, house.vault, house.queries, house.removal)
    place, winner = getattr(house, part), []
    go_on = getattr(place, step)

    def overtaken(*args, **more):
        setattr(place, step, go_on)
        wanted = ("p1", True, None, "password of the quicker", OPERATOR)
        winner.append(quicker.add_user("ann", *wanted))
        return go_on(*args, **more)

    setattr(place, step, overtaken)
    with pytest.raises(AlreadyThere, match="The user 'Ann' exists already"):
        house.add("Ann", "password of the slower")
    assert opens(house, "Ann", "password of the quicker") == winner[0].user_id
    assert opens(house, "Ann", "password of the slower") is None
    assert [person.name for person in people.list_users()] == ["ann"]
    assert house.rows() == {"people": 1, "secrets": 1, "passwords": 1}


def test_of_many_adds_of_a_name_at_the_same_time_one_succeeds(house, people):
    def add(number):
        try:
            return house.add("Ann", f"password of {number}").user_id, number
        except AlreadyThere:
            return None

    with ThreadPoolExecutor(8) as threads:
        (winner,) = filter(None, threads.map(add, range(8)))
    assert opens(house, "Ann", f"password of {winner[1]}") == winner[0]
    assert [person.user_id for person in people.list_users()] == [winner[0]]
    assert house.rows() == {"people": 1, "secrets": 1, "passwords": 1}


def test_a_name_that_is_taken_over_by_two_goes_to_one(house, people):
    with house.crashing(2, False), pytest.raises(Crash):
        house.add("Ann")
    forget = house.vault.forget

    def overtaken(user_id):
        house.vault.forget = forget
        forget(user_id)
        house.add("Ann", PASSWORD)

    house.vault.forget = overtaken
    with pytest.raises(AlreadyThere):
        house.add("Ann", "another password")
    assert opens(house, "Ann", PASSWORD)


def test_a_name_that_is_claimed_in_between_is_not_claimed_twice(house):
    claim = house.vault.claim_name

    def overtaken(user_id, name):
        house.vault.claim_name = claim
        house.add("ann", PASSWORD)
        claim(user_id, name)

    house.vault.claim_name = overtaken
    with pytest.raises(AlreadyThere, match="The user 'Ann' exists already"):
        house.add("Ann", "another password")
    assert opens(house, "Ann", PASSWORD)


# Rights


CREATE = "iotda:exporttasks:create"


def judged(house, project_id, user_id):
    """May a member create?"""
    return permission(house.queries, house.queries.member(project_id, user_id), CREATE)


def test_an_admin_may_do_everything_and_whoever_has_no_policy_nothing(house, people):
    ann = house.add("Ann").user_id
    ben = house.add("Ben", admin=False).user_id
    assert judged(house, "p1", ann) == Judgement(True, None)
    assert judged(house, "p1", ben) == Judgement(False, None)
    assert house.queries.member("p2", ann) is None
    people.grant("ben", "p1", True, None, OPERATOR)
    assert judged(house, "p1", ben) == Judgement(True, None)


def test_a_policy_is_judged_in_the_projects_enterprise_project(house, people):
    house.register.add_project("p3", "p3", "e3", None, OPERATOR)
    allowed, denied = said("Allow", "iotda:exporttasks:*"), said("Deny", CREATE, projects=["e3"])
    rights = policy(allowed, denied)
    ben = house.add("Ben", admin=False, policy=rights).user_id
    people.grant("ben", "p3", False, rights, OPERATOR)
    assert house.queries.member("p3", ben) == MemberRow("p3", ben, False, rights)
    assert judged(house, "p1", ben) == Judgement(True, 0)
    assert judged(house, "p3", ben) == Judgement(False, 1)
    assert house.queries.member("p2", ben) is None


def test_a_policy_that_cannot_be_read_allows_nothing(house, monkeypatch):
    monkeypatch.setattr("domain.access.rules.check_policy", lambda policy: None)  # as once
    ben = house.add("Ben", admin=False, policy='{"Statement": "all"}').user_id
    assert judged(house, "p1", ben) == Judgement(False, None)


def test_users_are_listed_by_name(house, people):
    zoe, ann = house.add("zoe").user_id, house.add("Ann").user_id
    people.grant("zoe", "p2", False, None, OPERATOR)
    first, second = people.list_users()
    assert (first.user_id, first.name, first.added_at) == (ann, "Ann", NOON)
    assert first.memberships == [MemberRow("p1", ann, True, None)]
    assert (second.user_id, second.name) == (zoe, "zoe")
    assert {member.project_id for member in second.memberships} == {"p1", "p2"}


def test_a_user_whose_name_the_vault_has_lost_is_listed_without(house, people):
    house.vault.forget(house.add("Ann").user_id)
    assert [person.name for person in people.list_users()] == [None]


@pytest.mark.parametrize(
    "command",
    [
        lambda people: people.grant("Ann", "p1", True, None, OPERATOR),
        lambda people: people.set_password("Ann", PASSWORD, OPERATOR),
        lambda people: people.add_key("Ann", None, OPERATOR),
        lambda people: people.remove_user("Ann", OPERATOR),
        lambda people: people.user_id_of("Ann"),
    ],
)
def test_nothing_happens_to_nobody(house, people, command):
    start = house.story.head()
    with pytest.raises(NotThere, match="The user 'Ann' does not exist"):
        command(people)
    assert house.story.head() == start


# Passwords


def test_a_password_opens_one_door(house):
    house.add("Ann", PASSWORD)
    house.add("Ben", "another password")
    assert opens(house, "Ann", PASSWORD + "!") is None
    assert opens(house, "Ann", "another password") is None
    assert opens(house, "Zoe", PASSWORD) is None


def test_another_password_shuts_out_the_one_before(house, people):
    ann = house.add("Ann", PASSWORD).user_id
    before = house.queries.user(ann).password_version
    people.set_password("Ann", "another password", OPERATOR)
    assert opens(house, "Ann", PASSWORD) is None
    assert opens(house, "Ann", "another password") == ann
    assert house.queries.user(ann).password_version > before


def test_the_user_that_a_password_gives_is_as_of_before_it_was_compared(house, people):
    ann = house.add("Ann", PASSWORD).user_id
    before = house.queries.user(ann)
    password_hash = house.vault.password_hash

    def changed_right_after(user_id):
        house.vault.password_hash = password_hash
        kept = password_hash(user_id)
        people.set_password("Ann", "another password", OPERATOR)
        return kept

    house.vault.password_hash = changed_right_after
    assert people.check_password("Ann", PASSWORD) == before
    assert house.queries.user(ann).password_version != before.password_version


@pytest.mark.parametrize(("write", "after"), [(1, False), (1, True), (2, False), (2, True)])
def test_a_new_password_that_crashes_anywhere_may_be_repeated(house, people, write, after):
    ann = house.add("Ann", PASSWORD).user_id
    before = house.queries.user(ann).password_version
    with house.crashing(write, after), pytest.raises(Crash):
        people.set_password("Ann", "another password", OPERATOR)
    people.set_password("Ann", "another password", OPERATOR)
    assert opens(house, "Ann", PASSWORD) is None
    assert opens(house, "Ann", "another password") == ann
    assert house.queries.user(ann).password_version > before


# Keys


def test_a_key_is_added_and_revoked(house, people):
    first = house.add("Ann")
    second = people.add_key("ann", None, OPERATOR)
    assert second.user_id == first.user_id
    assert (second.security_token, second.expires) == (None, None)
    people.revoke_key(first.access_key, OPERATOR)
    assert house.queries.key(first.access_key) is None
    assert house.queries.key(second.access_key) is not None
    assert house.rows()["secrets"] == 1


@pytest.mark.parametrize("lives", [KEY_LIVES_AT_LEAST, KEY_LIVES_AT_MOST])
def test_a_temporary_key_has_a_token_and_an_end(house, people, lives):
    house.add("Ann")
    key = people.add_key("Ann", lives, OPERATOR)
    assert key.expires == NOON + lives
    assert people.secret_of(key.access_key).security_token == key.security_token
    expected = KeyRow(key.access_key, key.user_id, True, NOON + lives)
    assert house.queries.key(key.access_key) == expected


@pytest.mark.parametrize(
    "lives",
    [
        -KEY_LIVES_AT_LEAST,
        KEY_LIVES_AT_LEAST - timedelta.resolution,
        KEY_LIVES_AT_MOST + timedelta.resolution,
        timedelta.max,
    ],
)
def test_a_temporary_key_lives_neither_too_short_nor_too_long(house, people, lives):
    house.add("Ann")
    with pytest.raises(Invalid, match="'expires' must be 1 second to 365 days"):
        people.add_key("Ann", lives, OPERATOR)
    assert house.rows()["secrets"] == 1


@pytest.mark.parametrize(("write", "after"), [(1, False), (1, True), (2, False), (2, True)])
def test_a_new_key_that_crashes_anywhere_may_be_repeated(house, people, write, after):
    house.add("Ann")
    with house.crashing(write, after), pytest.raises(Crash):
        people.add_key("Ann", None, OPERATOR)
    key = people.add_key("Ann", None, OPERATOR)
    assert people.secret_of(key.access_key).secret_key == key.secret_key


@pytest.mark.parametrize(("write", "after"), [(1, False), (1, True), (2, False)])
def test_a_revocation_that_crashes_anywhere_may_be_repeated(house, people, write, after):
    key = house.add("Ann").access_key
    with house.crashing(write, after), pytest.raises(Crash):
        people.revoke_key(key, OPERATOR)
    people.revoke_key(key, OPERATOR)
    assert house.queries.key(key) is None
    assert house.rows()["secrets"] == 0


def test_a_key_that_is_nobodys_is_not_revoked(house, people):
    key = house.add("Ann").access_key
    people.revoke_key(key, OPERATOR)
    for nobodys in (key, "K" * 20, "", "é"):
        with pytest.raises(NotThere, match=f"The access key '{nobodys}' does not exist"):
            people.revoke_key(nobodys, OPERATOR)


def test_the_secret_of_nobodys_key_is_not_known(house, people):
    with pytest.raises(NotThere):
        people.secret_of("K" * 20)


def test_a_secret_is_read_once(house, people):
    key = house.add("Ann").access_key
    secret = people.secret_of(key)
    house.vault.drop_secret(key)
    assert people.secret_of(key) == secret


# Removing


def test_a_removed_user_leaves_nothing_but_events(house, people):
    ann = house.add("Ann", PASSWORD)
    people.grant("Ann", "p2", False, None, OPERATOR)
    house.register.withdraw(ann.user_id, "p2", OPERATOR)
    owner = OwnerId("p1", ann.user_id)
    task = house.story.create(owner)
    start = house.story.head()
    people.remove_user("ann", OPERATOR)
    assert house.story.told(start) == [
        User.Removed.TOPIC,
        Project.Left.TOPIC,
        "task.evicted",
        Owner.Closed.TOPIC,
        Owner.Closed.TOPIC,
    ]
    assert house.queries.any_task(task.task_id) is None
    assert house.queries.user(ann.user_id) is None
    assert house.queries.key(ann.access_key) is None
    assert people.name_of(ann.user_id) is None
    assert people.list_users() == []
    assert opens(house, "Ann", PASSWORD) is None
    assert house.rows() == {"people": 0, "secrets": 0, "passwords": 0}
    for project_id in ("p1", "p2"):
        with pytest.raises(OwnerClosed):
            house.story.create(OwnerId(project_id, ann.user_id))


def test_a_name_may_be_given_again_after_its_user_was_removed(house, people):
    first = house.add("Ann", PASSWORD)
    people.remove_user("Ann", OPERATOR)
    second = house.add("Ann", PASSWORD)
    assert second.user_id != first.user_id
    assert opens(house, "Ann", PASSWORD) == second.user_id


@pytest.mark.parametrize("ends_by", ["remove", "add"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_a_removal_that_crashes_anywhere_may_be_repeated(house, people, write, after, ends_by):
    ann = house.add("Ann", PASSWORD)
    people.grant("Ann", "p2", True, None, OPERATOR)
    tasks = [house.story.create(OwnerId(each, ann.user_id)) for each in ("p1", "p2")]
    with house.crashing(write, after), pytest.raises(Crash):
        people.remove_user("Ann", OPERATOR)
    if (write, after) == (1, False):  # nothing has happened yet
        assert opens(house, "Ann", PASSWORD) == ann.user_id
        people.remove_user("Ann", OPERATOR)
    assert opens(house, "Ann", PASSWORD) is None
    assert house.queries.key(ann.access_key) is None
    if ends_by == "add":
        house.add("Ann", "another password")
        people.remove_user("Ann", OPERATOR)
    elif (write, after) not in {(1, False), (4, True)}:
        people.remove_user("Ann", OPERATOR)
    assert all(house.queries.any_task(task.task_id) is None for task in tasks)
    assert house.rows() == {"people": 0, "secrets": 0, "passwords": 0}
    closed = [event for event in house.story.events() if isinstance(event, Owner.Closed)]
    of_ann = [event.project_id for event in closed if event.user_id == ann.user_id]
    assert of_ann == ["p1", "p2"]
