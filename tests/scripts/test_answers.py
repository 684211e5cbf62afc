"""What the client makes of answers that no export-task service gives: proxies, lies, hang-ups."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import pytest

from api.problems import PROBLEMS
from api.settings import OF_THE_CLIENT, PREFIX
from scripts import patience
from scripts.account import VARIABLES
from scripts.advice import ADVICE
from scripts.answers import Declined
from tests.invoked import invoke, refused, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASK = "0" * 24
CONTENT = b"a workbook, or so it says"
TAG = f'"{sha256(CONTENT).hexdigest()}"'
DONE = (
    b'{"export_task_id": "%b", "status": "Success", "progress": 100, "export_count": 1, '
    b'"total": 1, "error_code": null, "error_msg": null, '
    b'"resource_condition": {"task_id": "abc"}, "create_time": "2026-01-31T23:59:59.000Z"}'
    % TASK.encode()
)


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


class Impostor:
    """A server that says what it is told to say, the last of it again and again."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sent: list[dict[str, str]] = []
        self.says: list[Said] = []
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                impostor.asked.append(f"{self.command} {self.path}")
                impostor.sent.append({name.lower(): text for name, text in self.headers.items()})
                said = impostor.says.pop(0) if len(impostor.says) > 1 else impostor.says[0]
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(b"" if self.command == "HEAD" else said.body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_POST(self) -> None:
                self.do_GET()

            def do_DELETE(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    impostor = Impostor()
    yield impostor
    impostor.close()


@pytest.fixture
def user(impostor, monkeypatch) -> dict[str, str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return {
        "EXPORT_TASKS_ENDPOINT": impostor.endpoint,
        "EXPORT_TASKS_PROJECT": "plant-1",
        "EXPORT_TASKS_AK": "AK",
        "EXPORT_TASKS_SK": "SK",
    }


def file(content: bytes = CONTENT, **headers: str) -> Said:
    told_ = {"ETag": TAG, "Content-Length": str(len(CONTENT)), "X-Export-Task-Id": TASK}
    return Said(
        200, told_ | {name.replace("_", "-"): text for name, text in headers.items()}, content
    )


def error(status: int, body: bytes, **headers: str) -> Said:
    return Said(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def test_a_proxys_own_error_is_told_by_its_status(impostor, user):
    impostor.says = [error(502, b"<html>Bad \x1b[31mgateway</html>")]
    assert refused(user, "quota") == "export-tasks: The service answers 502 Bad Gateway."


def test_a_redirect_is_not_followed_and_tells_where_it_leads(impostor, user):
    impostor.says = [error(302, b"", Location=impostor.endpoint + "/elsewhere")]
    line = refused(user, "export", "create", "abc")
    assert f"points to {impostor.endpoint}/elsewhere. Check EXPORT_TASKS_ENDPOINT" in line
    assert impostor.asked == ["POST /v5/iot/plant-1/export-tasks"]


def test_what_is_no_json_is_no_service(impostor, user):
    impostor.says = [Said(200, {}, b"<html>It works!</html>")]
    assert "does not answer as an export-task service does" in refused(user, "quota")


@pytest.mark.parametrize(
    "says",
    [
        b'{"status": "ok"}',
        b"[1, 2]",
        b'{"export_tasks": {}, "page": {"marker": null}}',
        b'{"export_tasks": [{"status": "ok"}], "page": {"marker": null}}',
        b'{"limits": [], "unfinished": 1, "kept": 1, "seconds_to_next_download": 1}',
        DONE.replace(b'"export_count": 1', b'"export_count": "one"'),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("quota",),
        ("export", "list"),
        ("export", "show", TASK),
        ("export", "watch", TASK),
        ("export", "create", "abc"),
        ("export", "delete", TASK),
    ],
    ids=" ".join,
)
def test_another_service_that_answers_json_is_no_export_task_service(impostor, user, says, command):
    impostor.says = [Said(200, {}, says)]
    done = invoke(user, *command, exit_code=1)
    assert done.stdout == ""
    assert done.stderr == (
        f"export-tasks: {impostor.endpoint} does not answer as an export-task service does. "
        "Check EXPORT_TASKS_ENDPOINT.\n"
    )


def test_an_error_cannot_steer_a_terminal(impostor, user):
    body = b'{"error_code": "IOTDA.\\u001b[2J", "error_msg": "a\\nb\\u001b[31m"}'
    impostor.says = [error(403, body, X_Request_Id="r-1")]
    line = refused(user, "quota")
    assert "\x1b" not in line
    assert "request r-1" in line


def test_the_seconds_that_the_service_says_are_told(impostor, user):
    body = b'{"error_code": "IOTDA.000007", "error_msg": "Shutting down."}'
    impostor.says = [error(503, body, Retry_After="7")]
    assert refused(user, "quota").endswith("Try again in 7 s.")


def test_watching_asks_again_where_the_service_is_away_for_a_moment(impostor, user):
    away = error(503, b"", Retry_After="1")
    impostor.says = [away, error(504, b""), away, Said(200, {}, DONE)]
    done = invoke(user, "export", "watch", TASK)
    assert done.stdout.split()[0] == "Success"
    assert done.stderr.count("Trying again for up to 120 s.") == 1
    assert len(impostor.asked) == 4


def test_the_pauses_grow_also_where_the_service_names_a_short_one(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(patience, "sleep", pauses.append)
    left = iter([Declined("Away.", 503, None, 1.0)] * 12)

    def call() -> str:
        for no in left:
            raise no
        return "here"

    assert patience.ask(call, 120.0) == "here"
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1.0, patience.LONGEST_PAUSE)


def test_a_store_that_is_back_at_the_second_question_costs_one_grant_and_no_more(
    impostor, user, tmp_path
):
    whole = Said(206, {**file().headers}, CONTENT)
    impostor.says = [error(503, b""), file(), whole]
    download(user, tmp_path / "x.xls")
    assert (tmp_path / "x.xls").read_bytes() == CONTENT
    assert [each.split()[0] for each in impostor.asked] == ["HEAD", "GET", "GET"]
    assert impostor.sent[-1]["if-range"] == TAG
    assert impostor.sent[-1]["range"] == "bytes=0-"


def test_a_service_that_asks_for_more_than_the_patience_there_is_is_not_waited_for(impostor, user):
    body = b'{"error_code": "IOTDA.000007", "error_msg": "The storage is unavailable."}'
    impostor.says = [error(503, body, Retry_After="4")]
    (line,) = invoke(
        user, "export", "watch", TASK, "--patience", "2s", exit_code=1
    ).stderr.splitlines()
    assert line.endswith("Try again in 4 s.")
    assert len(impostor.asked) == 1


def test_watching_does_not_ask_again_for_a_no_that_stays_one(impostor, user):
    impostor.says = [error(500, b'{"error_code": "IOTDA.000001", "error_msg": "Oh."}')]
    assert "Oh. (IOTDA.000001)" in refused(user, "export", "watch", TASK)
    assert len(impostor.asked) == 1


def download(user: dict[str, str], to: Path, exit_code: int = 0) -> str:
    arguments = ("export", "download", TASK, "-o", str(to), "--patience", "0")
    return invoke(user, *arguments, exit_code=exit_code).stderr


def test_bytes_that_are_not_those_of_the_hash_are_not_kept(impostor, user, tmp_path):
    impostor.says = [file(CONTENT[::-1])]
    assert "SHA-256 is another" in download(user, tmp_path / "x.xls", 1)
    assert list(tmp_path.iterdir()) == []
    done = invoke(user, "export", "download", TASK, "-o", "-", exit_code=1)
    assert "SHA-256 is another" in done.stderr


def test_a_connection_that_ends_too_soon_is_exit_4_and_what_came_is_kept(impostor, user, tmp_path):
    impostor.says = [file(), file(CONTENT[:10]), error(503, b"")]
    assert "503" in download(user, tmp_path / "x.xls", 1)
    (part,) = tmp_path.iterdir()
    assert part.read_bytes() == CONTENT[:10]
    impostor.says = [file(), file(b"")]
    assert "is not whole" not in download(user, tmp_path / "y.xls", 4)
    assert list(tmp_path.iterdir()) == [part]


def test_a_file_of_which_no_hash_is_told_is_not_fetched(impostor, user, tmp_path):
    for tag in ('"abc"', "", f"{TAG}x"):
        impostor.says = [file(ETag=tag)]
        assert "nothing is fetched" in download(user, tmp_path / "x.xls", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_hash_that_a_proxy_calls_weak_is_taken(impostor, user, tmp_path):
    impostor.says = [file(ETag="W/" + TAG)]
    download(user, tmp_path / "x.xls")
    assert (tmp_path / "x.xls").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["../../x.xls", "/etc/x.xls", ".profile", "a b.xls", "-x.xls"])
def test_a_name_that_leads_elsewhere_is_not_taken(impostor, user, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    impostor.says = [file(Content_Disposition=f'attachment; filename="{name}"')]
    shown = told(user, "export", "download", TASK)
    assert shown["file"] == f"{TASK}.xls"
    assert [each.name for each in tmp_path.iterdir()] == [f"{TASK}.xls"]


def test_a_range_that_is_answered_with_another_file_begins_anew(impostor, user, tmp_path):
    other = b"the file that came after it"
    tag = f'"{sha256(other).hexdigest()}"'
    newer = file(other, ETag=tag, Content_Length=str(len(other)))
    impostor.says = [file(), file(CONTENT[:5]), newer]
    assert "replaced by a newer one" in download(user, tmp_path / "x.xls")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [other]


SAYS_ALL = {
    "IOTDA.000006", "IOTDA.000008", "IOTDA.000017", "IOTDA.000018", "APIGW.0307", "IOTDA.014703",
    "APIGW.0201",
}  # fmt: skip
"""Errors of which nothing more can be advised; or that the client cannot get."""


def test_there_is_advice_about_every_error():
    assert ADVICE.keys() | SAYS_ALL == {each.code for each in PROBLEMS}
    assert not ADVICE.keys() & SAYS_ALL


@pytest.mark.parametrize("command", [("export", "list"), ("quota",)])
def test_a_variable_that_the_client_does_not_know_is_refused(command):
    said = refused({"EXPORT_TASKS_ENDPIONT": "http://elsewhere.example"}, *command)
    assert said == (
        "export-tasks: EXPORT_TASKS_ENDPIONT is not a setting of export-tasks; did you mean "
        "EXPORT_TASKS_ENDPOINT?"
    )


def test_the_client_reads_what_the_service_leaves_to_it():
    assert set(VARIABLES) == {PREFIX + name for name in OF_THE_CLIENT}
