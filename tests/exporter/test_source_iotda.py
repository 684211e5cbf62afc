"""Exports of another installation's batch tasks, over HTTP, whatever happens on the way."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import chain
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from domain.codes import NO_BATCH_TASK, SOURCE_UNREADABLE
from domain.refusals import Unavailable
from exporter import failures
from exporter.failures import PASSING_FAULTS
from exporter.sources import BatchTask, Remote, SourceFailed, open_source
from exporter.sources.iotda import open_iotda
from exporter.sources.pace import Pace
from exporter.sources.upstream import LONGEST_WAIT, Access, seconds_of
from exporter.sources.windows import OFFSETS
from tests.upstream import Upstream
from tests.workshop import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FAST = 1_000.0
HEAD = b'{"task_name": "Firmware", "task_type": "firmwareUpgrade", "status": "%s",' \
       b' "create_time": "20260131T235959Z"%s}\n'  # fmt: skip


@pytest.fixture(scope="module")
def upstream(tmp_path_factory) -> Iterator[Upstream]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("EXPORT_TASKS_HOME", "EXPORT_TASKS_SOURCE"):
            patch.delenv(name, raising=False)
        upstream = Upstream(tmp_path_factory.mktemp("up") / "stream")
        upstream.batch(1)  # before the first one there are no tables to look into
        yield upstream
        upstream.close()


@pytest.fixture
def source(upstream) -> Iterator[Any]:
    upstream.plan()
    with closing(opened(upstream)) as source:
        yield source


def opened(upstream, *, rate=FAST, region="", keys=None, url=None, **projects):
    mapped = projects or {"p1": upstream.project}
    remote = Remote(region, rate, lambda: mapped)
    return open_iotda(url or upstream.source, remote, upstream.keys | (keys or {}))


def put(upstream, rows, status="Success", more=""):
    """A batch task there; its id."""
    from exporter.sources.batches import Batches

    lines = [HEAD % (status.encode(), more.encode()), *lines_of(rows)]
    with Batches(f"sqlite:///{upstream.folder}/home/source.sqlite") as batches:
        return batches.import_(lines, project_id=upstream.project)


def targets(pages):
    return [row[0] for row in chain.from_iterable(pages)]


def newest_first(rows):
    return [f"d{n}" for n in reversed(range(rows))]


def found_and_read(source, task_id):
    assert source.find("p1", task_id, None)
    return targets(source.pages(task_id))


def failure_of(source, task_id="ab"):
    with pytest.raises(SourceFailed) as failed:
        source.find("p1", task_id, None)
    return failed.value


@pytest.mark.parametrize("region", ["", "cn-north-4"])
def test_a_batch_task_is_found_and_read_newest_first(upstream, region):
    upstream.plan()
    task_id = put(upstream, 1234)
    with closing(opened(upstream, region=region)) as source:
        assert source.find("p1", task_id, None) == BatchTask(
            task_id=task_id,
            project_id="p1",
            app_id=None,
            task_name="Firmware",
            task_type="firmwareUpgrade",
            status="Success",
            create_time="2026-01-31T23:59:59.000Z",
            total=1234,
        )
        assert targets(source.pages(task_id)) == newest_first(1234)
        assert source.count(task_id) == 1234


@pytest.mark.parametrize("rows", [0, 1, 49, 50, 51, 600, 601])
def test_every_detail_is_read_at_the_ends_of_pages_and_windows(upstream, source, rows):
    assert found_and_read(source, put(upstream, rows)) == newest_first(rows)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pages_are_no_longer_than_is_asked_for(upstream, source, size):
    task_id = put(upstream, 60)
    source.find("p1", task_id, None)
    pages = list(source.pages(task_id, size))
    assert targets(pages) == newest_first(60)
    assert max(map(len, pages)) == min(size, 50)


def test_every_cell_of_a_detail_arrives(upstream, source):
    from exporter.sources.batches import Batches

    lines = [
        HEAD % (b"Fail", b""),
        '{"target":"水表","status":"Fail","output":"a\\tb","error":{"error_code":"IOTDA.014016",'
        '"error_msg":"off"}}\n'.encode(),
        b'{"target":"x","status":"FailWaitRetry","error":{"error_code":null,"error_msg":"m"}}\n',
        b'{"target":"y","status":"Removed","output":""}\n',
    ]
    with Batches(f"sqlite:///{upstream.folder}/home/source.sqlite") as batches:
        task_id = batches.import_(lines, project_id=upstream.project)
    source.find("p1", task_id, None)
    assert list(chain.from_iterable(source.pages(task_id))) == [
        ("y", "Removed", "", None, None),
        ("x", "FailWaitRetry", None, None, "m"),
        ("水表", "Fail", "a\tb", "IOTDA.014016", "off"),
    ]


def test_a_project_reaches_only_the_one_it_is_mapped_to(upstream, caplog):
    upstream.plan()
    task_id = put(upstream, 1)
    with closing(opened(upstream, p1="elsewhere", p2=upstream.project)) as source:
        assert source.find("p3", task_id, None) is None
        assert "--upstream-project" in caplog.text
        assert upstream.seen()["calls"] == 0
        assert "does not allow it (HTTP 403, IOTDA.000021)" in str(failure_of(source, task_id))
        assert source.find("p2", task_id, None)
        assert not failure_of(source, task_id).passing


def test_a_batch_task_that_is_not_there_is_none(upstream, source):
    assert source.find("p1", "0" * 24, None) is None
    assert source.count("0" * 24) == 0


def test_a_batch_task_is_found_in_its_app_alone(upstream, source):
    others = [put(upstream, 1, more=', "app_id": "one"') for _ in range(3)]
    task_id = put(upstream, 2, more=', "app_id": "one"')
    named = f', "app_id": "one", "task_id": "{random.getrandbits(64):x}"'
    short = put(upstream, 2, more=named)
    for each in (task_id, short, *others):
        found = source.find("p1", each, "one")
        assert (found.task_id, found.app_id) == (each, "one")
        assert source.find("p1", each, "two") is None


def test_nothing_is_read_of_a_batch_task_that_was_not_found_before(source):
    for ask in (source.count, lambda task_id: list(source.pages(task_id))):
        with pytest.raises(SourceFailed, match="found"):
            ask("ab")


def test_eleven_pages_are_asked_for_side_by_side(upstream, source):
    task_id = put(upstream, 700)
    assert source.find("p1", task_id, None)
    pages = source.pages(task_id)
    read = next(pages)
    upstream.plan(together=len(OFFSETS))
    assert targets([read, *pages]) == newest_first(700)
    assert upstream.seen()["most"] == len(OFFSETS)


@pytest.mark.parametrize(
    "fault",
    ["429", "429 APIGW.0308", "403 IOTDA.021101", "500", "503 IOTDA.000007", "504", "408",
     "reset", "cut", "garbage", "proxy", "404", "404 NOT_FOUND"],
)  # fmt: skip
def test_a_call_that_fails_for_a_while_is_repeated(upstream, source, fault):
    task_id = put(upstream, 120)
    upstream.plan(faults=["", fault, fault, "", fault, "", fault], retry_after="0")
    assert found_and_read(source, task_id) == newest_first(120)
    assert upstream.seen()[fault] == 4


def test_a_call_whose_bytes_trickle_is_given_up_and_repeated(upstream, source, monkeypatch):
    monkeypatch.setattr("exporter.sources.upstream.ANSWER_SECONDS", 0.5)
    task_id = put(upstream, 120)
    upstream.plan(faults=["trickle", "", "", "trickle"])
    assert found_and_read(source, task_id) == newest_first(120)
    assert upstream.seen()["trickle"] == 2


def test_a_question_is_over_when_its_patience_is(upstream, source, monkeypatch):
    monkeypatch.setattr("exporter.sources.iotda.ANSWER_PATIENCE", 0.5)
    upstream.plan(faults=["trickle"])
    assert failure_of(source).passing


def test_both_calls_of_a_question_about_an_app_share_its_patience(upstream, source, monkeypatch):
    task_id = put(upstream, 1, more=', "app_id": "one"')
    assert source.find("p1", task_id, "one")
    monkeypatch.setattr("exporter.sources.iotda.ANSWER_PATIENCE", 1.0)
    upstream.plan(delay=0.8)
    with pytest.raises(SourceFailed) as failed:
        source.find("p1", task_id, "one")
    assert failed.value.passing


def test_any_mixture_of_faults_loses_nothing_and_doubles_nothing(upstream, source):
    chance = random.Random(7)
    words = [*[""] * 12, "429", "500", "reset", "cut", "garbage"]
    task_id = put(upstream, 2_000)
    upstream.plan(faults=chance.choices(words, k=80), retry_after="0")
    assert found_and_read(source, task_id) == newest_first(2_000)


def test_retry_after_is_honoured_by_all_calls(upstream, source):
    task_id = put(upstream, 300)
    source.find("p1", task_id, None)
    pages = source.pages(task_id)
    assert len(next(pages)) == 50
    upstream.plan(faults=["429"], retry_after="3600")
    with pytest.raises(SourceFailed, match="no more calls for now") as failed:
        list(pages)
    assert failed.value.passing
    asked = upstream.seen()["calls"]
    with pytest.raises(SourceFailed, match="longer pause") as failed:
        source.find("p1", task_id, None)
    assert failed.value.passing
    assert upstream.seen()["calls"] == asked, "nothing more is asked"


def test_a_longer_pause_fails_no_export(upstream, source, shop):
    tasks, exporter = (
        [shop.create(put(upstream, 1)) for _ in range(2)],
        shop.exporter(source=source),
    )
    upstream.plan(faults=["429"], retry_after="900")
    exporter.step()
    asked, other = sorted(map(shop.now, tasks), key=lambda task: -task.attempt)
    back = shop.progressed(asked)[-1]
    assert (back.released, back.wait, back.faults) == (True, 900, 1)
    for _ in range(PASSING_FAULTS):
        exporter.step()
        back = shop.progressed(other)[-1]
        assert (back.released, back.wait > failures.LONGEST_WAIT, back.faults) == (True, True, 0)
        assert "longer pause" in back.reason
        shop.watch.pass_by(back.wait)
    assert upstream.seen()["calls"] == 1


def test_an_attempt_that_asked_and_met_a_pause_counts(upstream, source, shop):
    task = shop.create(put(upstream, 700))
    upstream.plan(faults=["", "", "reset", "429"], retry_after="900")
    shop.exporter(source=source).step()
    back = shop.progressed(task)[-1]
    assert (back.released, back.wait > failures.LONGEST_WAIT, back.faults) == (True, True, 1)


def test_a_rate_that_leaves_no_time_for_a_call_counts_too(upstream, shop):
    upstream.plan()
    task = shop.create(put(upstream, 1))
    with closing(opened(upstream, rate=0.001)) as source:
        shop.exporter(source=source).step()
    assert "rate" in shop.progressed(task)[-1].reason
    assert shop.now(task).faults == 1


@pytest.mark.parametrize("faults", [["429"], ["reset"]])
def test_an_upstream_that_stays_away_is_a_passing_failure(upstream, source, faults, monkeypatch):
    monkeypatch.setattr("exporter.sources.iotda.ANSWER_PATIENCE", 0.5)
    upstream.plan(faults=faults * 100, retry_after="0")
    assert failure_of(source).passing


def test_nobody_at_the_endpoint_is_a_passing_failure(upstream, monkeypatch, capfd):
    monkeypatch.setattr("exporter.sources.iotda.ANSWER_PATIENCE", 0.5)
    with closing(opened(upstream, url="iotda+http://127.0.0.1:1")) as source:
        failure = failure_of(source)
    assert failure.passing
    assert "127.0.0.1" not in str(failure)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("400 IOTDA.000006", "refuses the call (HTTP 400, IOTDA.000006)"),
        ("401 APIGW.0301", "does not take the access key (HTTP 401, APIGW.0301)"),
        ("403 IOTDA.000022", "does not allow it (HTTP 403, IOTDA.000022)"),
        ("403", "does not allow it (HTTP 403)"),
        ("404 APIGW.0101", "refuses the call (HTTP 404, APIGW.0101)"),
        ("302", "answered 302"),
        ("400 not a code/of any kind", "refuses the call (HTTP 400)"),
    ],
)
def test_a_refusal_is_a_lasting_failure_that_says_why(upstream, source, fault, words):
    upstream.plan(faults=[fault])
    failure = failure_of(source)
    assert words in str(failure)
    assert not failure.passing
    assert upstream.seen()["calls"] == 1


def test_a_wrong_secret_is_a_lasting_failure_that_shows_none(upstream):
    upstream.plan()
    with closing(opened(upstream, keys={"HUAWEICLOUD_SDK_SK": "s" * 40})) as source:
        failure = failure_of(source)
    assert "does not take the access key (HTTP 401, APIGW.0301)" in str(failure)
    assert not failure.passing
    assert "s" * 40 not in repr(Access("e", "a", "s" * 40))


def test_rows_that_come_while_it_is_read_move_nothing(upstream, source):
    task_id = put(upstream, 1_300, status="Processing")
    source.find("p1", task_id, None)
    upstream.plan(append=[[task_id, 1]] * 40)
    read = targets(source.pages(task_id))
    assert len(read) == len(set(read)) + 1, "the one that came before the first page is a d0 too"
    assert read[1:] == newest_first(1_300)
    assert source.count(task_id) > 1_300


def test_a_batch_task_that_goes_while_it_is_read_is_a_lasting_failure(upstream, source):
    task_id = put(upstream, 300)
    source.find("p1", task_id, None)
    pages = source.pages(task_id)
    next(pages)
    upstream.run("batch", "remove", task_id)
    with pytest.raises(SourceFailed, match="went while it was read") as failed:
        list(pages)
    assert not failed.value.passing


def test_who_waits_for_a_page_is_asked_whether_to_go_on(upstream, source, monkeypatch):
    monkeypatch.setattr("exporter.sources.iotda.TICK_SECONDS", 0.05)
    task_id = put(upstream, 120)
    source.find("p1", task_id, None)
    upstream.plan(faults=["", "500", "500", "500"], retry_after="")
    pages = list(source.pages(task_id))
    assert [] in pages[1:-1]
    assert targets(pages) == newest_first(120)


def test_a_reading_that_is_left_half_way_asks_no_more(upstream, source, monkeypatch):
    monkeypatch.setattr("exporter.sources.iotda.TICK_SECONDS", 0.05)
    task_id = put(upstream, 700)
    source.find("p1", task_id, None)
    pages = source.pages(task_id)
    next(pages)
    upstream.plan(faults=["500"] * 1_000, retry_after="3")
    assert next(pages) == []
    pages.close()
    source.close()
    asked = upstream.seen()["calls"]
    assert asked <= 2 * len(OFFSETS)


def test_an_export_of_a_remote_batch_task(upstream, source, shop):
    task_id = put(upstream, 1_200)
    upstream.plan(faults=["", "", "500", "reset", "429"], retry_after="0")
    task = shop.create(task_id)
    shop.exporter(source=source).step()
    book = shop.book(task)
    assert [row[0] for row in book["details"][1:]] == newest_first(1_200)
    told = shop.summary(task)
    counted = (told["finished"], told["rows_expected"], told["rows_written"])
    assert counted == ("true", "1200", "1200")


def test_the_summary_says_that_rows_came_while_it_was_read(upstream, source, shop):
    task_id = put(upstream, 700, status="Processing")
    upstream.plan(append=[[task_id, 1]] * 10)
    task = shop.create(task_id)
    shop.exporter(source=source).step()
    told = shop.summary(task)
    assert told["finished"] == "false"
    assert int(told["rows_expected"]) > int(told["rows_written"]) >= 700
    assert shop.now(task).file.complete is False


def test_an_export_from_an_unmapped_project_fails(upstream, shop):
    upstream.plan()
    task_id = put(upstream, 1)
    with closing(opened(upstream, p2=upstream.project)) as source:
        task = shop.create(task_id)
        shop.exporter(source=source).step()
    assert shop.history(task)[-1].code == NO_BATCH_TASK


def test_an_export_that_is_refused_upstream_fails_and_says_why(upstream, shop):
    upstream.plan()
    with closing(opened(upstream, keys={"HUAWEICLOUD_SDK_SK": "s" * 40})) as source:
        task = shop.create("a" * 24)
        shop.exporter(source=source).step()
    failed = shop.history(task)[-1]
    assert failed.code == SOURCE_UNREADABLE
    assert "access key" in failed.message


def test_an_export_stops_while_it_waits_for_the_upstream(upstream, source, shop, monkeypatch):
    monkeypatch.setattr("exporter.sources.iotda.TICK_SECONDS", 0.05)
    task_id = put(upstream, 700)
    upstream.plan(faults=["", ""] + ["503"] * 1_000, retry_after="")
    task, stop = shop.create(task_id), Event()
    exporting = Thread(target=shop.exporter(source=source).run, args=(stop,))
    exporting.start()
    while upstream.seen().get("503", 0) < len(OFFSETS):
        assert exporting.is_alive()
    stop.set()
    exporting.join(60)
    assert not exporting.is_alive()
    assert shop.progressed(task)[-1].reason == "shutdown"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("iotda+https://", "no endpoint"),
        ("iotda+https:///x", "no endpoint"),
        ("iotda+https://host/path", "no endpoint"),
        ("iotda+https://ak:sk@host", "no endpoint"),
        ("iotda+https://host?x=1", "no endpoint"),
        ("iotda+http://iotda.example.com", "this machine alone"),
        ("iotda+http://10.0.0.1", "this machine alone"),
    ],
)
def test_an_address_that_does_not_serve_is_refused(url, words):
    keys = {"HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK": "s"}
    with pytest.raises(ValueError, match=words):
        open_iotda(url, Remote(), keys)


@pytest.mark.parametrize("url", ["iotda+http://localhost:1", "iotda+http://[::1]:1/"])
def test_loopback_may_be_plain(url):
    keys = {"HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK": "s"}
    open_iotda(url, Remote(), keys).close()


@pytest.mark.parametrize("missing", ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"])
def test_keys_must_be_given(monkeypatch, missing):
    for name in {"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"} - {missing}:
        monkeypatch.setenv(name, "x")
    with pytest.raises(ValueError, match=missing):
        open_source("iotda+https://host")


def test_the_secret_key_may_be_given_as_a_file(upstream, tmp_path):
    upstream.plan()
    (tmp_path / "sk").write_text("s" * 40 + "\n")
    keys = {"HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK_FILE": str(tmp_path / "sk")}
    open_iotda(upstream.source, Remote(), keys).close()
    with pytest.raises(ValueError, match="are both given"):
        open_iotda(upstream.source, Remote(), keys | {"HUAWEICLOUD_SDK_SK": "s"})
    (tmp_path / "sk").unlink()
    with pytest.raises(ValueError, match=r"SK_FILE: .* cannot be read"):
        open_iotda(upstream.source, Remote(), keys)


def test_a_check_asks_about_a_mapped_project_if_there_is_one(upstream):
    upstream.plan()
    opened(upstream).check()
    assert upstream.seen()["calls"] == 1
    keys = {"HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK": "s"}
    open_iotda(upstream.source, Remote(), keys).check()
    assert upstream.seen()["calls"] == 1


def test_a_check_finds_an_endpoint_that_knows_of_no_batch_tasks(upstream, source, monkeypatch):
    monkeypatch.setattr("exporter.sources.iotda.ANSWER_PATIENCE", 5.0)
    upstream.plan(faults=["proxy"] * 100)
    with pytest.raises(SourceFailed, match=r"does not answer as IoTDA does \(HTTP 404\)"):
        source.check()


def test_an_export_outlives_a_proxy_whose_service_is_away(upstream, source, shop, monkeypatch):
    monkeypatch.setattr("exporter.sources.iotda.ANSWER_PATIENCE", 0.5)
    task, exporter = shop.create(put(upstream, 120)), shop.exporter(source=source)
    upstream.plan(faults=["proxy"] * 100)
    exporter.step()
    assert shop.now(task).faults == 1
    assert not exporter.step()
    shop.watch.pass_by(failures.LONGEST_WAIT)
    upstream.plan(faults=["", "", "proxy"])
    exporter.step()
    assert shop.now(task).status == "Success"


def test_calls_are_never_closer_than_the_rate_says():
    now = 100.0
    pace = Pace(10, clock=lambda: now)
    moments = []
    for passed in (0.0, 0.0, 0.05, 0.3, 0.0, 0.02, 2.0, 0.0):
        now += passed
        moments.append(now + pace.wait())
    assert [round(each - 100, 3) for each in moments] == [0, 0.1, 0.2, 0.35, 0.45, 0.55, 2.37, 2.47]
    pace.hold(5)
    pace.hold(1)
    assert pace.wait() == pytest.approx(5)


def test_who_shares_the_rate_gets_a_share_of_it_as_soon_as_it_is_known():
    now, sharers = 0.0, 1

    def paced(calls: int) -> float:
        """Seconds that so many calls take."""
        nonlocal now
        began = now
        for _ in range(calls):
            now += pace.wait()
        return now - began

    pace = Pace(10, lambda: sharers, clock=lambda: now)
    assert paced(11) == pytest.approx(1.0)
    sharers = 4
    paced(2)
    assert paced(10) == pytest.approx(4.0)
    sharers = 0  # nobody is known to export: this one does
    paced(10)
    assert paced(10) == pytest.approx(1.0)


def test_while_nobody_can_tell_how_many_share_the_rate_they_are_as_many_as_before():
    now, asked, answers = 0.0, [], [2, None, 1]

    def sharers() -> int:
        asked.append(now)
        answer = answers[len(asked) - 1]
        if answer is None:
            raise Unavailable
        return answer

    pace = Pace(1, sharers, clock=lambda: now)
    moments = [now := now + pace.wait() for _ in range(8)]
    assert asked == pytest.approx([0.0, 2.0, 12.0])
    assert moments == pytest.approx([0, 2, 4, 6, 8, 10, 12, 14])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0),
        ("7", 7),
        ("soon", 0),
        ("-1", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00", 0),
        ("", 0),
        ("9" * 400, LONGEST_WAIT),
        ("Fri, 31 Dec 2100 23:59:59 GMT", LONGEST_WAIT),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 0),
        ("Mon, 01 Jan 2020 00:00:00 +9999999999", 0),
    ],
)
def test_retry_after_in_all_its_forms(text, seconds):
    assert seconds_of(text) == seconds


def test_retry_after_may_be_a_time():
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=20), usegmt=True)
    assert 0 < seconds_of(soon) <= 20 * 3600
