"""Users, their rights and keys: given these events, when this command, then those events."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from eventsourcing.persistence import IntegrityError

from domain.access.project import Project, project_stream
from domain.access.register import Register
from domain.access.user import User, user_stream
from domain.refusals import AlreadyThere, Invalid, NotThere
from tests.facts import NOON, OPERATOR

ANN, BEN = "a" * 32, "b" * 32
KEY, OTHER_KEY = "K" * 20, "0" * 20
POLICY = '{"Version": "1.1", "Statement": []}'


def fact(event, stream, version, **fields):
    return event(
        originator_id=stream,
        originator_version=version,
        timestamp=NOON,
        by="system",
        request_id="0" * 32,
        key=None,
        address=None,
        **fields,
    )


def of_ann(event, version, **fields):
    return fact(event, user_stream(ANN), version, user_id=ANN, **fields)


def of_project(event, version, project_id="p1", user_id=ANN):
    stream = project_stream(project_id)
    return fact(event, stream, version, project_id=project_id, user_id=user_id)


@pytest.fixture
def register(story):
    """Given two projects."""
    register = Register(story.journal)
    register.add_project("p1", "Depot", "0", None, OPERATOR)
    register.add_project("p2", "Harbour", "0", None, OPERATOR)
    return register


@pytest.fixture
def since(story, register):
    """Given an admin user of the first: what was told since."""
    register.add_user(ANN, "p1", True, None, OPERATOR)
    start = story.head()
    return lambda: story.events(start)


def test_a_user_comes_with_rights(story, register):
    register.add_user(ANN, "p1", False, POLICY, OPERATOR)
    assert story.events()[2:] == [
        of_project(Project.Joined, 2),
        of_ann(User.Added, 1),
        of_ann(User.Granted, 2, project_id="p1", admin=False, policy=POLICY),
    ]


def test_a_user_comes_with_rights_key_and_password_or_not_at_all(story, register):
    register.add_user(ANN, "p1", True, None, OPERATOR, access_key=KEY, password=True)
    assert story.events()[2:] == [
        of_project(Project.Joined, 2),
        of_ann(User.Added, 1),
        of_ann(User.Granted, 2, project_id="p1", admin=True, policy=None),
        of_ann(User.KeyAdded, 3, access_key=KEY, temporary=False, expires=None),
        of_ann(User.PasswordSet, 4),
    ]


def test_a_user_is_not_added_twice(register, since):
    with pytest.raises(AlreadyThere, match=f"The user '{ANN}' exists already"):
        register.add_user(ANN, "p2", True, None, OPERATOR)
    assert since() == []


def test_the_id_of_a_removed_user_is_not_used_again(story, register, since):
    register.remove_user(ANN, OPERATOR)
    before = story.head()
    with pytest.raises(AlreadyThere):
        register.add_user(ANN, "p1", True, None, OPERATOR)
    assert story.head() == before


def test_a_project_that_is_removed_at_the_same_time_is_not_joined(story, register):
    insert = story.recorder.insert_events

    def removed_in_between(stored, **more):
        story.recorder.insert_events = insert
        Register(story.journal).remove_project("p1", OPERATOR)
        return insert(stored, **more)

    story.recorder.insert_events = removed_in_between
    with pytest.raises(NotThere, match="The project 'p1' does not exist"):
        register.add_user(ANN, "p1", True, None, OPERATOR)
    assert story.told()[2:] == ["project.removed"]


def test_a_user_who_leaves_while_being_removed_is_removed_all_the_same(story, register, since):
    load, project = story.journal.load, project_stream("p1")

    def project_goes_in_between(aggregate, stream):
        if stream == project:
            story.journal.load = load
            register.withdraw(ANN, "p1", OPERATOR)
            register.remove_project("p1", OPERATOR)
        return load(aggregate, stream)

    story.journal.load = project_goes_in_between
    assert register.remove_user(ANN, OPERATOR) == ["p1"]
    told = [event.TOPIC for event in since()]
    assert told == ["user.withdrawn", "project.left", "project.removed", "user.removed"]


def test_rights_in_another_project_make_the_user_belong_to_it(register, since):
    register.grant(ANN, "p2", False, None, OPERATOR)
    assert since() == [
        of_project(Project.Joined, 2, "p2"),
        of_ann(User.Granted, 3, project_id="p2", admin=False, policy=None),
    ]


def test_rights_are_changed(register, since):
    register.grant(ANN, "p1", False, POLICY, OPERATOR)
    assert since() == [of_ann(User.Granted, 3, project_id="p1", admin=False, policy=POLICY)]


def test_rights_that_stay_the_same_are_no_event(register, since):
    register.grant(ANN, "p1", True, None, OPERATOR)
    assert since() == []


def test_rights_are_withdrawn_and_granted_again(register, since):
    register.withdraw(ANN, "p1", OPERATOR)
    register.grant(ANN, "p1", True, None, OPERATOR)
    assert since() == [
        of_ann(User.Withdrawn, 3, project_id="p1"),
        of_project(Project.Left, 3),
        of_project(Project.Joined, 4),
        of_ann(User.Granted, 4, project_id="p1", admin=True, policy=None),
    ]


def test_rights_that_are_not_there_are_not_withdrawn(register, since):
    with pytest.raises(NotThere, match=f"The user '{ANN}' in the project 'p2' does not exist"):
        register.withdraw(ANN, "p2", OPERATOR)
    assert since() == []


def test_another_password_is_noted(register, since):
    register.set_password(ANN, OPERATOR)
    assert since() == [of_ann(User.PasswordSet, 3)]


def test_keys_are_added_and_revoked(register, since):
    register.add_key(ANN, KEY, False, None, OPERATOR)
    register.revoke_key(ANN, KEY, OPERATOR)
    assert since() == [
        of_ann(User.KeyAdded, 3, access_key=KEY, temporary=False, expires=None),
        of_ann(User.KeyRevoked, 4, access_key=KEY),
    ]


def test_the_expiry_of_a_temporary_key_is_told_in_utc(register, since):
    in_shanghai = datetime(2026, 11, 24, 21, 0, tzinfo=timezone(timedelta(hours=8)))
    register.add_key(ANN, KEY, True, in_shanghai, OPERATOR)
    expires = "2026-11-24T13:00:00.000000+00:00"
    assert since() == [of_ann(User.KeyAdded, 3, access_key=KEY, temporary=True, expires=expires)]


@pytest.mark.parametrize(
    ("temporary", "expires", "rule"),
    [
        (True, None, "goes with temporary keys"),
        (False, NOON, "goes with temporary keys"),
        (True, NOON.replace(tzinfo=None), "must have a time zone"),
    ],
)
def test_an_expiry_that_makes_no_sense_is_refused(register, since, temporary, expires, rule):
    with pytest.raises(Invalid, match=f"'expires' {rule}"):
        register.add_key(ANN, KEY, temporary, expires, OPERATOR)
    assert since() == []


def test_a_key_is_not_added_twice(story, register, since):
    register.add_key(ANN, KEY, False, None, OPERATOR)
    before = story.head()
    with pytest.raises(AlreadyThere, match=f"The access key '{KEY}' exists already"):
        register.add_key(ANN, KEY, False, None, OPERATOR)
    assert story.head() == before


def test_a_key_that_is_not_there_is_not_revoked(register, since):
    register.add_key(ANN, OTHER_KEY, False, None, OPERATOR)
    with pytest.raises(NotThere, match=f"The access key '{KEY}' does not exist"):
        register.revoke_key(ANN, KEY, OPERATOR)
    assert len(since()) == 1


def test_a_removed_user_leaves_its_projects_and_tells_where_it_ever_was(register, since):
    register.add_user(BEN, "p1", True, None, OPERATOR)
    register.grant(ANN, "p2", True, None, OPERATOR)
    register.withdraw(ANN, "p1", OPERATOR)
    assert register.remove_user(ANN, OPERATOR) == ["p1", "p2"]
    assert since()[-2:] == [of_ann(User.Removed, 5), of_project(Project.Left, 3, "p2")]


def test_a_removal_repeated_tells_the_same_and_changes_nothing(story, register, since):
    register.grant(ANN, "p2", True, None, OPERATOR)
    assert register.remove_user(ANN, OPERATOR) == ["p1", "p2"]
    before = story.head()
    assert register.remove_user(ANN, OPERATOR) == ["p1", "p2"]
    assert story.head() == before


def test_who_never_was_is_not_removed(story, register, since):
    with pytest.raises(NotThere, match=f"The user '{BEN}' does not exist"):
        register.remove_user(BEN, OPERATOR)
    assert since() == []


def test_an_id_is_used_up_before_it_becomes_a_users(story, register):
    assert register.use_up(ANN, OPERATOR) == []
    assert story.events()[2:] == [of_ann(User.Added, 1), of_ann(User.Removed, 2)]
    before = story.head()
    with pytest.raises(AlreadyThere):
        register.add_user(ANN, "p1", True, None, OPERATOR)
    assert register.use_up(ANN, OPERATOR) == []
    assert story.head() == before


def test_the_id_of_a_removed_user_is_used_up_already(story, register, since):
    register.remove_user(ANN, OPERATOR)
    before = story.head()
    assert register.use_up(ANN, OPERATOR) == ["p1"]
    assert story.head() == before


def test_the_id_of_a_user_is_not_used_up(register, since):
    with pytest.raises(AlreadyThere):
        register.use_up(ANN, OPERATOR)
    assert since() == []


def test_a_user_becomes_an_operator_and_is_none_any_more(register, since):
    for role in ("view", "operate", None):
        register.set_operator(ANN, role, OPERATOR)
    assert since() == [
        of_ann(User.OperatorSet, 3, role="view"),
        of_ann(User.OperatorSet, 4, role="operate"),
        of_ann(User.OperatorSet, 5, role=None),
    ]


@pytest.mark.parametrize("role", ["view", "operate"])
def test_a_role_that_stays_the_same_is_no_event(register, since, role):
    register.set_operator(ANN, role, OPERATOR)
    register.set_operator(ANN, role, OPERATOR)
    assert since() == [of_ann(User.OperatorSet, 3, role=role)]


def test_who_is_no_operator_does_not_become_none(register, since):
    register.set_operator(ANN, None, OPERATOR)
    assert since() == []


@pytest.mark.parametrize("role", ["", "admin", "VIEW", "none"])
def test_a_role_that_is_none_is_refused(register, since, role):
    with pytest.raises(Invalid, match="'role' must be 'view' or 'operate', or none"):
        register.set_operator(ANN, role, OPERATOR)
    assert since() == []


def test_a_removed_user_is_no_operator(story, register, since):
    register.set_operator(ANN, "view", OPERATOR)
    register.remove_user(ANN, OPERATOR)
    assert story.journal.load(User, user_stream(ANN)).operator is None


@pytest.mark.parametrize("removed", [False, True], ids=["never added", "removed"])
@pytest.mark.parametrize(
    "command",
    [
        lambda register: register.grant(ANN, "p1", True, None, OPERATOR),
        lambda register: register.withdraw(ANN, "p1", OPERATOR),
        lambda register: register.set_password(ANN, OPERATOR),
        lambda register: register.add_key(ANN, KEY, False, None, OPERATOR),
        lambda register: register.revoke_key(ANN, KEY, OPERATOR),
        lambda register: register.set_operator(ANN, "view", OPERATOR),
    ],
)
def test_nothing_happens_to_a_user_that_is_not_there(story, register, removed, command):
    if removed:
        register.add_user(ANN, "p1", True, None, OPERATOR, access_key=KEY)
        register.remove_user(ANN, OPERATOR)
    before = story.head()
    with pytest.raises(NotThere, match=f"The user '{ANN}' does not exist"):
        command(register)
    assert story.head() == before


@pytest.mark.parametrize("user_id", ["", "a" * 31, "a" * 33, "A" * 32, "ann"])
def test_user_ids_are_opaque(story, register, user_id):
    with pytest.raises(Invalid, match="'user_id' must be 32 hexadecimal digits"):
        register.add_user(user_id, "p1", True, None, OPERATOR)
    with pytest.raises(Invalid, match="'user_id' must be 32 hexadecimal digits"):
        register.use_up(user_id, OPERATOR)
    assert len(story.events()) == 2


@pytest.mark.parametrize("key", ["", "K" * 19, "K" * 21, "k" * 20])
def test_access_keys_that_are_not_taken(register, since, key):
    with pytest.raises(Invalid, match="'access_key' must be 20"):
        register.add_key(ANN, key, False, None, OPERATOR)
    with pytest.raises(Invalid, match="'access_key' must be 20"):
        register.add_user(BEN, "p1", True, None, OPERATOR, access_key=key)
    assert since() == []


def test_a_policy_that_breaks_a_rule_is_not_taken(register, since):
    for command in (register.grant, register.add_user):
        user_id = ANN if command == register.grant else BEN
        with pytest.raises(Invalid, match="'policy' at"):
            command(user_id, "p1", False, '{"Version": "1.1"}', OPERATOR)
    assert since() == []


def test_an_answer_lost_after_the_commit_is_found_in_the_log(story, register):
    insert = story.recorder.insert_events

    def loses_the_answer(stored, **more):
        story.recorder.insert_events = insert
        insert(stored, **more)
        raise IntegrityError("lost")

    story.recorder.insert_events = loses_the_answer
    register.add_user(ANN, "p1", True, None, OPERATOR)
    assert story.told()[2:] == ["project.joined", "user.added", "user.granted"]
