"""Refusals: each is kept for a while, all are counted, and only users' counts reach the log."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from time import monotonic

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from starlette.testclient import TestClient

from api.access import side_log
from api.access.lockout import (
    HELD_BACK_SECONDS,
    LOCKED,
    TRIES_FROM_AN_ADDRESS,
    TRIES_OF_A_KEY,
)
from api.access.side_log import COUNT_LASTS, LIVES, RefusedRequest, SideLog, SideLogFails
from domain.refusals import Unavailable
from tests import web_service
from tests.facts import NOON, OPERATOR
from tests.household import SECRET_KEY
from tests.web_service import NOWHERE, TASKS, refused

HERE, THERE = "192.0.2.1", "192.0.2.2"
CRITICAL = urlsafe_b64encode(b'{"alg":"HS256","crit":1}')


def with_wrong_secret(client, access_key=None):
    client._credentials = BasicCredentials(access_key or client.access_key, "s" * 40, "p1")
    return client


@pytest.fixture
def singles(service):
    return lambda: list(service.house.side_log.singles())


@pytest.fixture
def summaries(service):
    """What reaches the event log when a count is over."""

    def hand_on():
        service.story.clock.pass_by(seconds=COUNT_LASTS.total_seconds() + 1)
        head, now = service.story.head(), service.story.clock()
        service.house.side_log.hand_on(service.household.register, OPERATOR, now)
        return service.story.events(head)

    return hand_on


# Over HTTP


def test_a_wrong_signature_of_a_user_is_kept_and_counted(service, ann, singles, summaries):
    refused(with_wrong_secret(ann).get(), 401, "APIGW.0301")
    (single,) = singles()
    assert (single.code, single.call, single.at) == ("APIGW.0301", "ListExportTasks", NOON)
    assert (single.user_id, single.access_key) == (ann.user_id, ann.access_key)
    assert single.address == "testclient"
    assert len(single.request_id) == 32
    (counted,) = summaries()
    assert (counted.user_id, counted.access_key) == (ann.user_id, ann.access_key)
    assert (counted.refusals, counted.since, counted.until) == ({"APIGW.0301": 1}, NOON, NOON)


def test_an_ipv4_address_that_a_proxy_writes_as_ipv6_is_kept_as_itself(service, singles):
    for address in ("::ffff:192.0.2.1", "0:0:0:0:0:FFFF:C000:201", "2001:db8::1"):
        asks = TestClient(service.http.app, client=(address, 1))
        refused(asks.get(TASKS), 401, "APIGW.0301")
    assert sorted(single.address for single in singles()) == [HERE, HERE, "2001:db8::1"]


def test_an_unknown_key_is_kept_as_a_strangers_and_never_reaches_the_log(
    service, ann, singles, summaries, tmp_path
):
    stray = "ASecretKeyPastedWhereTheAccessKeyBelongs"
    refused(with_wrong_secret(ann, stray).get(), 401, "APIGW.0301")
    (single,) = singles()
    assert (single.user_id, single.access_key, single.claimed) == (None, None, None)
    assert summaries() == []
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("refused.sqlite*"))
    assert kept
    assert stray.encode() not in kept
    assert b"testclient" not in kept


def test_whatever_a_user_may_not_is_counted_by_its_code_for_each_way_in(service, summaries):
    ben = service.client("Ben", admin=False)
    for _ in range(3):
        refused(ben.get(), 403, "IOTDA.000022")
    refused(ben.ask("GET", "/v5/iot/p2/export-tasks"), 403, "IOTDA.000021")
    refused(ben.by_token("GET", TASKS), 403, "IOTDA.000022")
    told = {event.access_key: event.refusals for event in summaries()}
    by_key = {"IOTDA.000021": 1, "IOTDA.000022": 3}
    assert told == {ben.access_key: by_key, None: {"IOTDA.000022": 1}}


def test_what_the_rules_refuse_is_counted_too_and_what_is_not_there_is_not(service, ann, summaries):
    task_id = ann.finished()
    assert ann.download(task_id).status_code == 200
    refused(ann.download(task_id), 403, "IOTDA.014704")
    assert ann.ask("GET", f"{TASKS}/{NOWHERE}").status_code == 404
    assert ann.ask("POST", TASKS, body={}).status_code == 400
    assert [event.refusals for event in summaries()] == [{"IOTDA.014704": 1}]


def test_a_wrong_password_is_counted_for_the_user_and_for_nobody_else(service, singles, summaries):
    ann = service.client("Ann", password="correct horse")
    for name in ("Ann", "Nobody"):
        login = web_service.login(name, "wrong horse")
        refused(service.http.post("/v3/auth/tokens", json=login), 401, "APIGW.0301")
    assert [single.user_id for single in singles()] == [None, ann.user_id]
    assert [event.user_id for event in summaries()] == [ann.user_id]


def test_a_void_token_is_counted_for_its_user(service, summaries):
    ann = service.client("Ann", password="correct horse")
    login = web_service.login("Ann", "correct horse")
    token = service.http.post("/v3/auth/tokens", json=login).headers["x-subject-token"]
    service.household.people.set_password("Ann", "another horse", OPERATOR)
    refused(service.http.get(TASKS, headers={"X-Auth-Token": token}), 401, "APIGW.0301")
    assert [(event.user_id, event.access_key) for event in summaries()] == [(ann.user_id, None)]


def test_a_token_that_no_library_makes_is_kept_as_a_strangers(service, singles):
    token = CRITICAL.decode() + ".e30.AAAA"
    refused(service.http.get(TASKS, headers={"X-Auth-Token": token}), 401, "APIGW.0301")
    assert [(single.user_id, single.code) for single in singles()] == [(None, "APIGW.0301")]


def test_calls_that_are_answered_leave_nothing(service, ann, singles):
    assert ann.post().status_code == 201
    assert ann.get().status_code == 200
    assert singles() == []


def test_answers_to_wrong_signatures_are_held_back_after_five_and_right_ones_are_not(service, ann):
    guesser, began = with_wrong_secret(service.client("Ben")), monotonic()
    guesser = with_wrong_secret(guesser, ann.access_key)
    for _ in range(TRIES_OF_A_KEY):
        answer = guesser.get()
        refused(answer, 401, "APIGW.0301", "does not match")
        assert "retry-after" not in answer.headers
    began = monotonic()
    answer = guesser.get()
    refused(answer, 401, "APIGW.0301", "does not match", "wrong too often")
    assert answer.headers["retry-after"] == "300"
    assert monotonic() - began >= HELD_BACK_SECONDS
    right = ann.get()
    assert (right.status_code, right.headers.get("retry-after")) == (200, None)


def test_a_side_log_that_fails_stops_nobody(service, ann, tmp_path, caplog):
    (tmp_path / "refused.sqlite").write_bytes(b"no database" * 1000)
    wrong = with_wrong_secret(service.client("Ben"))
    for _ in range(2):
        refused(wrong.get(), 401, "APIGW.0301")
    assert ann.get().status_code == 200
    told = [each for each in caplog.records if "refusals are not counted" in each.getMessage()]
    assert [each.levelno for each in told] == [logging.ERROR]
    with pytest.raises(SideLogFails, match=r"refused\.sqlite"):
        service.house.side_log.singles()
    with pytest.raises(SideLogFails, match=r"refused\.sqlite"):
        service.house.side_log.hand_on(service.household.register, OPERATOR, NOON)


# The side log


@pytest.fixture
def log(tmp_path):
    log = SideLog(tmp_path / "side.sqlite", SECRET_KEY)
    yield log
    log.close()


def a_refusal(seconds=0.0, **changes):
    given = {"code": "APIGW.0301", "call": "ListExportTasks", "request_id": "r1", "address": HERE}
    return RefusedRequest(at=NOON + timedelta(seconds=seconds), **(given | changes))


def of_ann(seconds=0.0, **changes):
    return a_refusal(seconds, user_id="a" * 32, access_key="K" * 20, claimed="K" * 20, **changes)


class Shelf:
    """A register that keeps what it is told."""

    def __init__(self):
        self.told = []

    def count_refusals(self, summaries, caller):
        assert caller == OPERATOR
        self.told.append(summaries)


def handed_on(log, seconds):
    shelf = Shelf()
    log.hand_on(shelf, OPERATOR, NOON + timedelta(seconds=seconds))
    return [(each.number, each.refusals) for summaries in shelf.told for each in summaries]


def test_the_file_is_its_owners_alone(log, tmp_path):
    log.note(a_refusal())
    assert (tmp_path / "side.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_removed_is_made_anew(log, tmp_path):
    log.note(of_ann())
    for each in tmp_path.glob("side.sqlite*"):
        each.unlink()
    log.note(of_ann())
    log.note(of_ann())
    assert len(list(log.singles())) == 2


def test_a_count_lasts_a_minute(log):
    log.note(of_ann())
    assert handed_on(log, 0) == [(1, {"APIGW.0301": 1})], "the first begins before all"
    log.note(of_ann(1))
    assert handed_on(log, COUNT_LASTS.total_seconds()) == []
    log.note(of_ann(COUNT_LASTS.total_seconds()))
    assert handed_on(log, COUNT_LASTS.total_seconds() + 1) == [(2, {"APIGW.0301": 2})]
    assert handed_on(log, 1000) == [], "nothing new, no count"


def test_a_clock_that_is_set_back_ends_a_count(log):
    assert handed_on(log, 3600) == []
    log.note(of_ann(3600))
    assert handed_on(log, 3600) == [(1, {"APIGW.0301": 1})]
    log.note(of_ann())
    assert handed_on(log, 0) == [(2, {"APIGW.0301": 1})]


def test_a_summary_says_from_when_to_when(log):
    for seconds in (5, 1, 9):
        log.note(of_ann(seconds))
    log.note(of_ann(0.5, code="IOTDA.014704"))
    shelf = Shelf()
    log.hand_on(shelf, OPERATOR, NOON + timedelta(minutes=5))
    ((summary,),) = shelf.told
    assert summary.refusals == {"APIGW.0301": 3, "IOTDA.014704": 1}
    assert summary.since == NOON + timedelta(seconds=0.5)
    assert summary.until == NOON + timedelta(seconds=9)


def test_what_could_not_be_handed_on_is_handed_on_later(log):
    class Away(Shelf):
        def count_refusals(self, summaries, caller):
            raise Unavailable

    for turn in range(2):
        log.note(of_ann(turn * 100))
        with pytest.raises(Unavailable):
            log.hand_on(Away(), OPERATOR, NOON + timedelta(seconds=turn * 100 + 90))
    assert handed_on(log, 300) == [(1, {"APIGW.0301": 1}), (2, {"APIGW.0301": 1})]


def test_strangers_are_in_no_summary(log):
    log.note(a_refusal())
    log.note(a_refusal(claimed="who knows"))
    assert handed_on(log, 90) == []


def test_what_many_note_at_once_is_all_counted(log, tmp_path):
    go, others = Event(), [SideLog(tmp_path / "side.sqlite", SECRET_KEY) for _ in range(4)]

    def note(which):
        go.wait()
        for _ in range(25):
            which.note(of_ann())

    with ThreadPoolExecutor(8) as threads:
        for which in others * 2:
            threads.submit(note, which)
        go.set()
    for each in others:
        each.close()
    assert handed_on(log, 90) == [(1, {"APIGW.0301": 200})]


def test_single_ones_are_kept_in_number_and_in_time(log, monkeypatch):
    monkeypatch.setattr(side_log, "KEPT", 3)
    for number in range(5):
        log.note(a_refusal(number, request_id=f"r{number}"))
    assert [each.request_id for each in log.singles()] == ["r4", "r3", "r2"]
    log.hand_on(Shelf(), OPERATOR, NOON + timedelta(seconds=3) + LIVES)
    assert [each.request_id for each in log.singles()] == ["r4", "r3"]


def test_addresses_are_gone_with_the_secret_key(log, tmp_path):
    log.note(of_ann())
    other = SideLog(tmp_path / "side.sqlite", b"another" * 9)
    assert [each.address for each in log.singles()] == [HERE]
    assert [each.address for each in other.singles()] == [None]
    other.close()


# Too many wrong signatures


def noted(log, times, **changes):
    return [log.note(a_refusal(**changes)) for _ in range(times)]


def test_a_key_is_wrong_too_often_after_five_wherever_from(log):
    for number in range(TRIES_OF_A_KEY):
        assert log.note(a_refusal(claimed="K", address=f"192.0.2.{number}")) == 0
    assert log.note(a_refusal(claimed="K", address=THERE)) == LOCKED.total_seconds()
    assert log.note(a_refusal(claimed="other", address=THERE)) == 0


def test_an_address_is_wrong_too_often_after_twenty_five_whichever_the_key(log):
    for number in range(TRIES_FROM_AN_ADDRESS):
        assert log.note(a_refusal(claimed=f"K{number}")) == 0
    assert log.note(a_refusal(claimed="new")) == LOCKED.total_seconds()
    assert log.note(a_refusal(claimed="newer", address=THERE)) == 0


def test_it_ends_five_minutes_after(log):
    assert noted(log, TRIES_OF_A_KEY + 1, claimed="K")[-1] == LOCKED.total_seconds()
    later = LOCKED.total_seconds()
    assert noted(log, TRIES_OF_A_KEY, claimed="K", seconds=later) == [0] * TRIES_OF_A_KEY


def test_what_is_no_signature_makes_none_wrong_too_often(log):
    assert noted(log, TRIES_FROM_AN_ADDRESS + 1) == [0] * (TRIES_FROM_AN_ADDRESS + 1)
    assert log.note(a_refusal(claimed="K")) == 0
