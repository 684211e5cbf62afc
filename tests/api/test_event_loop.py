"""On the event loop no store is asked that is elsewhere: while it were slow, nobody got an answer.

`Service.close` asserts it, here and wherever else a test's events are in a database.
"""

from __future__ import annotations

import pytest

from api.console.operator.pages import PAGES as OPERATOR_PAGES
from api.console.table import PAGES
from api.routes import CALLS
from tests.facts import OPERATOR
from tests.visitor import PASSWORD, Visitor, signed_in
from tests.web_service import NOWHERE, Service

OF_BROWSERS = (*PAGES, *OPERATOR_PAGES)
STREAMS = ("/live", "/operator/live")
"""A client that waits for the whole answer never has it: `console/test_console_live` reads them."""

NAMES = ("project_id", "export_task_id", "task_id", "digest", "name")


@pytest.fixture
def service(tmp_path, database):
    service = Service(tmp_path, events=database.fresh())
    yield service
    service.close()


def path_of(call):
    return call.path.format_map(dict.fromkeys(NAMES, NOWHERE) | {"project_id": "p1"})


def test_what_is_asked_there_is_noticed(service):
    async def on_the_loop():
        return service.house.ledger.journal.clock()

    service.http.portal.call(on_the_loop)
    assert service.asked_on_loop == ["clock"]
    service.asked_on_loop.clear()


def test_no_call_of_the_api_asks_there(service):
    ann = service.client("Ann")
    for call in CALLS:
        service.http.request(call.method, path_of(call))
        ann.ask(call.method, path_of(call))
        ann.by_token(call.method, path_of(call))
    assert service.asked_on_loop == []


@pytest.mark.parametrize("who", ["operator", "stranger", "nobody"])
def test_no_page_asks_there(service, who):
    service.client("Ann", password=PASSWORD)
    service.household.people.set_operator("Ann", "operate", OPERATOR)
    visitor = signed_in(service, "Ann") if who == "operator" else Visitor(service)
    cookie = "strange" if who == "stranger" else visitor.cookie
    for path in ("/nowhere", *{path_of(page) for page in OF_BROWSERS}.difference(STREAMS)):
        for ask in (visitor.get, visitor.post):
            visitor.cookie = cookie
            ask(path)
    assert service.asked_on_loop == []
