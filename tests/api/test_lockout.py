"""Guessed passwords: so many in a row, then nobody's password is taken for a while."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from api.access.lockout import (
    LOCKED,
    TRIES_FROM_AN_ADDRESS,
    TRIES_OF_A_NAME,
    Locked,
    Lockout,
)
from api.access.vault import Vault
from projections.log import open_log
from tests import web_service
from tests.facts import NOON
from tests.household import SECRET_KEY
from tests.web_service import TASKS, refused

TOKENS = "/v3/auth/tokens"
PASSWORD = "correct horse"
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def service(any_service):
    return any_service


def login(service, name="Ann", password=PASSWORD):
    return service.http.post(TOKENS, json=web_service.login(name, password))


@pytest.fixture
def people(service):
    return service.client("Ann", password=PASSWORD)


def guess(service, times, name="Ann"):
    for _ in range(times):
        refused(login(service, name, "wrong horse"), 401, "APIGW.0301", "password is wrong")


# Over HTTP


def test_the_right_password_is_taken_after_four_wrong_ones_and_not_after_five(service, people):
    guess(service, TRIES_OF_A_NAME - 1)
    assert login(service).status_code == 201
    guess(service, TRIES_OF_A_NAME)
    answer = login(service)
    refused(answer, 401, "APIGW.0301", "too many wrong passwords", "in 300 s")
    assert answer.headers["retry-after"] == "300"


def test_a_locked_name_is_free_after_its_time(service, people):
    guess(service, TRIES_OF_A_NAME)
    service.story.clock.pass_by(seconds=LOCKED.total_seconds() - 1)
    answer = login(service)
    refused(answer, 401, "APIGW.0301", "in 1 s")
    service.story.clock.pass_by(seconds=1)
    assert login(service).status_code == 201


def test_who_guesses_on_while_it_is_locked_makes_it_no_longer(service, people):
    guess(service, TRIES_OF_A_NAME)
    for _ in range(10):
        service.story.clock.pass_by(seconds=30)
        last = login(service, password="wrong horse")
    assert "too many" not in last.json()["error_msg"]


def test_a_signature_and_a_token_let_in_whoever_guesses_at_the_password(service, people):
    token = login(service).headers["x-subject-token"]
    guess(service, TRIES_OF_A_NAME)
    assert people.get().status_code == 200
    assert service.http.get(TASKS, headers={"X-Auth-Token": token}).status_code == 200


def test_a_name_that_nobody_has_is_locked_like_any_other(service, people):
    guess(service, TRIES_OF_A_NAME, "Nobody")
    refused(login(service, "Nobody"), 401, "APIGW.0301", "too many wrong passwords")
    refused(login(service, "NOBODY"), 401, "APIGW.0301", "too many wrong passwords")
    assert login(service).status_code == 201


def test_many_names_from_one_address_lock_the_address(service, people):
    for number in range(TRIES_FROM_AN_ADDRESS):
        guess(service, 1, f"user {number}")
    refused(login(service), 401, "APIGW.0301", "too many wrong passwords")
    assert people.get().status_code == 200


# In the store


@pytest.fixture
def vault(events_url):
    with closing(open_log(events_url)) as log:
        yield Vault(log, SECRET_KEY)


def tried(lockout, name="Ann", address=HERE, now=NOON):
    try:
        lockout.begin(name, address, now)
    except Locked as locked:
        return locked.retry_after
    return 0


def test_all_processes_count_together_and_no_crowd_gets_more_tries(vault, events_url):
    with closing(open_log(events_url)) as log:
        both = Lockout(vault, SECRET_KEY), Lockout(Vault(log, SECRET_KEY), SECRET_KEY)
        with ThreadPoolExecutor(8) as threads:
            waits = list(threads.map(lambda number: tried(both[number % 2]), range(40)))
    assert waits.count(0) == TRIES_OF_A_NAME


def test_an_address_and_a_name_are_counted_apart(vault):
    lockout = Lockout(vault, SECRET_KEY)
    assert [tried(lockout) for _ in range(TRIES_OF_A_NAME)] == [0] * TRIES_OF_A_NAME
    assert tried(lockout, address=THERE) == 300
    assert tried(lockout, "Ben") == 0
    assert tried(lockout, HERE, THERE) == 0
    assert tried(lockout, "Cat", None) == 0


def test_what_was_right_ends_the_row_of_name_and_address(vault):
    lockout = Lockout(vault, SECRET_KEY)
    for _ in range(3):
        assert [tried(lockout) for _ in range(TRIES_OF_A_NAME)] == [0] * TRIES_OF_A_NAME
        lockout.succeeded("Ann", HERE)


def test_a_password_of_ones_own_does_not_let_one_guess_at_others_for_ever(vault):
    lockout = Lockout(vault, SECRET_KEY)
    for number in range(TRIES_FROM_AN_ADDRESS):
        assert tried(lockout, f"user {number}") == 0
        if number < TRIES_FROM_AN_ADDRESS - 1:
            assert tried(lockout) == 0
            lockout.succeeded("Ann", HERE)
    assert tried(lockout) == 300


def test_what_is_right_from_elsewhere_gives_an_address_no_tries_more(vault):
    lockout = Lockout(vault, SECRET_KEY)
    for _ in range(TRIES_OF_A_NAME - 1):
        assert tried(lockout) == 0
    assert tried(lockout, address=THERE) == 0
    lockout.succeeded("Ann", THERE)
    waits = [tried(lockout, f"user {n}", THERE) for n in range(TRIES_FROM_AN_ADDRESS + 1)]
    assert waits == [0] * TRIES_FROM_AN_ADDRESS + [300]


def test_a_clock_that_was_far_ahead_locks_nobody_for_long(vault):
    lockout = Lockout(vault, SECRET_KEY)
    ahead = NOON + timedelta(days=1)
    assert [tried(lockout, now=ahead) for _ in range(TRIES_OF_A_NAME)] == [0] * TRIES_OF_A_NAME
    assert tried(lockout, now=ahead) == 300
    assert tried(lockout) == 0


def test_old_tries_leave_the_store_and_no_name_or_address_stands_in_it(vault, tmp_path):
    lockout = Lockout(vault, SECRET_KEY)
    for number in range(20):
        tried(lockout, f"somebody {number}", f"198.51.100.{number}")
    tried(lockout, "Ann", HERE, NOON + LOCKED)
    with vault.writing() as cursor:
        cursor.execute("SELECT count(*) AS number, min(length(subject)) AS length FROM tries")
        assert dict(cursor.fetchone()) == {"number": 2, "length": 32}
    files = [each for each in tmp_path.glob("events.sqlite*") if each.is_file()]
    stored = b"".join(each.read_bytes() for each in files)
    assert b"somebody" not in stored
    assert b"198.51.100" not in stored
