"""Downloads: the exact bytes, in whole or in part, one in an interval, never a mix."""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from domain.downloads import Downloads
from exporter.results import CHUNK_BYTES, open_results
from tests.web_service import NOWHERE, TASKS, Service, refused

CONTENT = os.urandom(3 * CHUNK_BYTES + 17)
ETAG = f'"{sha256(CONTENT).hexdigest()}"'


@pytest.fixture
def service(tmp_path, place):
    """A service for each kind of place of its results."""
    service = Service(tmp_path, results=place.url)
    yield service
    service.close()


@pytest.fixture
def task_id(ann) -> str:
    return ann.finished(CONTENT)


def grants(service):
    return service.story.told().count(Downloads.Granted.TOPIC)


def test_a_download_is_the_file_byte_for_byte(service, ann, task_id):
    answer = ann.download(task_id)
    assert answer.status_code == 200
    assert answer.content == CONTENT
    headers = answer.headers
    assert headers["content-type"] == "application/octet-stream;charset=iso-8859-1"
    assert headers["content-length"] == str(len(CONTENT))
    assert headers["etag"] == ETAG
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-export-task-id"] == task_id
    assert headers["last-modified"] == "Tue, 24 Nov 2026 12:00:00 GMT"
    name = re.fullmatch('attachment; filename="(.*)"', headers["content-disposition"])[1]
    assert name == f"{task_id}-20261124T120000Z.xls"
    granted = service.story.events()[-1]
    assert isinstance(granted, Downloads.Granted)
    assert (granted.task_id, granted.etag, granted.by) == (task_id, ETAG, ann.user_id)
    assert granted.request_id == headers["x-request-id"]


def test_a_second_one_within_the_interval_is_refused_and_says_when(service, ann, task_id):
    ann.download(task_id)
    service.story.clock.pass_by(seconds=12)
    answer = ann.download(task_id)
    refused(answer, 403, "IOTDA.014704", "30 seconds")
    assert answer.headers["retry-after"] == "18"
    service.story.clock.pass_by(seconds=17.9)
    assert ann.download(task_id).headers["retry-after"] == "1"
    service.story.clock.pass_by(seconds=0.1)
    assert ann.download(task_id).content == CONTENT
    assert grants(service) == 2


def test_the_interval_is_of_all_the_owners_tasks_and_of_nobody_else(service, ann, task_id):
    ben = service.client("Ben")
    other, bens = ann.finished(b"other", "1"), ben.finished(b"bens")
    assert ann.download(task_id).status_code == 200
    refused(ann.download(other), 403, "IOTDA.014704")
    assert ben.download(bens).content == b"bens"


def test_a_head_tells_all_and_grants_nothing(service, ann, task_id):
    for _ in range(2):
        answer = ann.download(task_id, "HEAD", Range="bytes=0-1")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == str(len(CONTENT))
        assert answer.headers["etag"] == ETAG
    assert grants(service) == 0


def test_an_older_task_gives_the_newer_file_of_its_conditions(service, ann):
    older, newer = ann.finished(b"older"), ann.finished(b"newer")
    answer = ann.download(older)
    assert answer.content == b"newer"
    assert answer.headers["x-export-task-id"] == newer


def test_no_date_tells_two_files_of_one_second_apart(ann):
    task_id = ann.finished(b"older")
    date = ann.download(task_id, "HEAD").headers["last-modified"]
    ann.finished(b"newer")
    assert ann.download(task_id, "HEAD").headers["last-modified"] == date
    answer = ann.download(task_id, If_Modified_Since=date)
    assert (answer.status_code, answer.content) == (200, b"newer")


# In the contract's order


def test_a_task_that_is_not_there_has_no_file(ann):
    refused(ann.download(NOWHERE), 404, "IOTDA.014702")


def test_a_task_that_is_not_success_has_no_file(service, ann):
    task_id = ann.create()
    refused(ann.download(task_id, If_None_Match="*"), 403, "IOTDA.014703", "Processing")
    claim = service.story.claim(service.story.ledger.task(task_id))
    service.story.ledger.fail(claim, "IOTDA.014706", "The source is away.")
    refused(ann.download(task_id), 403, "IOTDA.014703", "Failed")


def test_what_the_client_has_is_not_sent_again_at_any_time(service, ann, task_id):
    ann.download(task_id)
    for headers in (
        {"If_None_Match": ETAG},
        {"If_None_Match": ETAG, "Range": "bytes=999999999-"},
    ):
        answer = ann.download(task_id, **headers)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == ETAG
        assert "content-length" not in answer.headers
    assert grants(service) == 1


def test_a_range_beyond_the_end_is_said_before_the_interval(service, ann, task_id):
    ann.download(task_id)
    answer = ann.download(task_id, Range=f"bytes={len(CONTENT)}-")
    refused(answer, 416, "IOTDA.000006", "'Range'")
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"
    refused(ann.download(task_id, Range="bytes=0-"), 403, "IOTDA.014704")
    assert grants(service) == 1


# Parts


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        (f"bytes={CHUNK_BYTES - 1}-{CHUNK_BYTES}", CHUNK_BYTES - 1, CHUNK_BYTES + 1),
        ("bytes=-17", len(CONTENT) - 17, len(CONTENT)),
        (f"bytes=100-{10**17}", 100, len(CONTENT)),
    ],
)
def test_a_range_is_that_part_and_a_grant(service, ann, task_id, asked, start, end):
    answer = ann.download(task_id, Range=asked)
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["etag"] == ETAG
    assert grants(service) == 1


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=x", "lines=1-2", "bytes=5-1"])
def test_several_ranges_and_nonsense_are_the_whole(ann, task_id, asked):
    answer = ann.download(task_id, Range=asked)
    assert (answer.status_code, answer.content) == (200, CONTENT)


def test_a_broken_transfer_goes_on_for_free(service, ann, task_id):
    ann.download(task_id)
    for start in (1000, 2000):
        answer = ann.download(task_id, Range=f"bytes={start}-", If_Range=ETAG)
        assert (answer.status_code, answer.content) == (206, CONTENT[start:])
    assert grants(service) == 1
    service.story.clock.pass_by(minutes=10)
    assert ann.download(task_id, Range="bytes=1-", If_Range=ETAG).status_code == 206
    assert grants(service) == 1
    service.story.clock.pass_by(seconds=1)
    assert ann.download(task_id, Range="bytes=1-", If_Range=ETAG).status_code == 206
    assert grants(service) == 2


def test_only_what_was_granted_to_the_same_owner_goes_on(service, ann, task_id):
    ann.download(task_id)
    ben = service.client("Ben")
    bens = ben.finished(b"bens own")
    ben.download(bens)
    refused(ben.download(task_id, Range="bytes=1-", If_Range=ETAG), 404, "IOTDA.014702")
    same = ben.finished(CONTENT, "1")
    refused(ben.download(same, Range="bytes=1-", If_Range=ETAG), 403, "IOTDA.014704")


def test_what_would_be_the_whole_again_is_not_free(service, ann, task_id):
    ann.download(task_id)
    for headers in (
        {"Range": "bytes=1-"},
        {"Range": "bytes=1-", "If_Range": '"another"'},
        {"Range": "bytes=0-1,3-4", "If_Range": ETAG},
        {"If_Range": ETAG},
    ):
        refused(ann.download(task_id, **headers), 403, "IOTDA.014704")


def test_a_transfer_that_broke_before_a_new_file_came_starts_anew(service, ann, task_id):
    ann.download(task_id)
    service.story.clock.pass_by(seconds=30)
    newer = ann.finished(b"newer")
    answer = ann.download(task_id, Range="bytes=3-", If_Range=ETAG)
    assert (answer.status_code, answer.content) == (200, b"newer")
    assert answer.headers["x-export-task-id"] == newer


@pytest.mark.parametrize("header", ["If_Match", "If_Unmodified_Since"])
def test_a_part_of_a_file_that_was_replaced_is_never_one_of_the_newer(ann, header):
    task_id = ann.finished(b"older")
    told = ann.download(task_id, "HEAD").headers
    before = {"If_Match": told["etag"], "If_Unmodified_Since": told["last-modified"]}[header]
    ann.finished(b"newer")
    answer = ann.download(task_id, Range="bytes=3-", **{header: before})
    assert (answer.status_code, answer.content) == (200, b"newer")


# Damage


@pytest.mark.parametrize("damage", ["gone", "shorter"])
def test_a_success_without_its_bytes_is_an_alarm_and_no_grant(service, ann, place, caplog, damage):
    task_id = ann.create()
    key = service.finish(task_id, b"some bytes")
    place.lose(key) if damage == "gone" else place.lay(key, b"some")
    with caplog.at_level(logging.ERROR):
        answer = ann.download(task_id)
    refused(answer, 503, "IOTDA.000007")
    assert answer.headers["retry-after"]
    assert task_id in caplog.text
    assert ann.download(task_id, method="HEAD").status_code == 503
    assert grants(service) == 0


@pytest.fixture
def altered(service, ann, place):
    """A task whose file holds one other byte, at its beginning."""
    task_id = ann.create()
    place.lay(service.finish(task_id, CONTENT), bytes([CONTENT[0] ^ 1]) + CONTENT[1:])
    return task_id


def test_other_bytes_of_the_same_length_are_never_sent_to_their_end(ann, altered, caplog):
    answer = ann.download(altered)
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert 0 < len(answer.content) < len(CONTENT)
    (told,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert altered in told.getMessage()


def test_other_bytes_of_a_short_file_are_not_begun(service, ann, place, caplog):
    task_id = ann.create()
    place.lay(service.finish(task_id, b"some bytes"), b"same bytes")
    refused(ann.download(task_id), 503, "IOTDA.000007")
    assert task_id in caplog.text
    assert grants(service) == 0


def test_a_part_cannot_be_proven(ann, altered):
    answer = ann.download(altered, Range="bytes=0-")
    assert (answer.status_code, len(answer.content)) == (206, len(CONTENT))


def test_a_result_store_that_fails_is_a_503_and_no_grant(service, ann, task_id, place):
    broken = open_results(place.broken_url, service.settings.spools)
    service.http.app_state["house"] = replace(service.house, results=broken)
    answer = ann.download(task_id)
    refused(answer, 503, "IOTDA.000007", "storage is unavailable")
    assert answer.headers["retry-after"]
    assert grants(service) == 0
    service.http.app_state["house"] = service.house
    assert ann.download(task_id).content == CONTENT


@contextmanager
def slow(service, seconds):
    """A ledger whose every grant takes so long."""
    ledger = service.house.ledger
    watch, times = ledger._watch, iter((0.0, seconds))
    ledger._watch = lambda: next(times)
    yield
    ledger._watch = watch


def test_a_grant_that_took_too_long_sends_no_bytes(service, ann, task_id):
    with slow(service, 1.01):
        answer = ann.download(task_id)
    refused(answer, 503, "IOTDA.000007")
    assert grants(service) == 1
    service.story.clock.pass_by(seconds=30)
    with slow(service, 1.0):
        assert ann.download(task_id).content == CONTENT


def test_no_file_stays_open(service, ann, task_id):
    def open_files():
        held = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
        return [name for name in held if name.startswith(str(service.settings.home / "results"))]

    ann.download(task_id)
    ann.download(task_id)
    ann.download(task_id, Range="bytes=1-", If_Range=ETAG)
    ann.download(task_id, "HEAD")
    assert open_files() == []


def test_a_packed_file_is_named_so(tmp_path):
    service = Service(tmp_path, download="zip")
    ann = service.client()
    task_id = ann.create()
    claim_key = f"{task_id}/1-00.zip"
    service.finish(task_id, b"PK", key=claim_key)
    answer = ann.download(task_id)
    assert answer.headers["content-disposition"].endswith('.zip"')
    assert answer.content == b"PK"
    service.close()


def test_the_file_has_no_other_method(ann, task_id):
    answer = ann.ask("POST", f"{TASKS}/{task_id}/file")
    refused(answer, 405, "IOTDA.000003")
    assert answer.headers["allow"] == "GET, HEAD"
