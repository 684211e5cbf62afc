"""The plant: the installation in which the examples of the API's document are asked."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from api.pages import described
from api.reference.examples import EXAMPLES, MADE, REQUEST, USER
from api.reference.parameters import APP, BATCH_TASK, PROJECT, SIZE, TASK
from api.routes import CALLS
from exporter.sources.batches import Batches
from tests.facts import OPERATOR

if TYPE_CHECKING:
    from tests.web_service import Client, Service

PASSWORD = "correct horse battery"
CONTENT = b"x" * SIZE
JSON = "application/json"
DOCUMENT = described()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
CALL_OF = {call.name: call for call in CALLS if call.tag}
BATCH = """\
{"task_name": "Firmware 2.2.0", "task_type": "firmwareUpgrade", "status": "PartialSuccess",\
 "create_time": "2026-11-30T11:45:00Z"}
{"target": "pump-1", "status": "Success", "output": "2.2.0"}
{"target": "pump-2", "status": "Fail",\
 "error": {"error_code": "IOTDA.014016", "error_msg": "The device is not online."}}
"""


class Chance:
    """Chance that draws what the examples have drawn."""

    def getrandbits(self, bits: int) -> int:
        return 0x5EED5EED5EED % 2**bits

    def random(self) -> float:
        return 0.5


class World:
    """A service as it stands where the examples are asked, and ada, who asks."""

    def __init__(self, service: Service) -> None:
        self.service = service
        register = service.household.register
        register.add_project(PROJECT, "cn-north-4", "0", None, OPERATOR)
        register.add_app(PROJECT, APP, True, OPERATOR)
        self.ada = self.somebody("ada", admin=True)
        if service.house.listing:
            with Batches(service.settings.source) as batches:
                lines = BATCH.encode().splitlines(keepends=True)
                batches.import_(lines, project_id=PROJECT, app_id=APP, task_id=BATCH_TASK)
        service.house.ledger.journal.chance = Chance()
        service.story.clock.now = datetime.fromisoformat(MADE)

    def somebody(self, name: str, **rights: Any) -> Client:
        """A user of the examples' project."""
        return self.service.client(name, project_id=PROJECT, **rights)

    def give_password(self) -> None:
        """Ada may get a token of her own."""
        self.service.household.people.set_password("ada", PASSWORD, OPERATOR)

    def create(self) -> Any:
        """The task of the examples; it begins."""
        return self.ask("CreateExportTask")

    def finish(self) -> None:
        """It ends, eight seconds later."""
        self.service.story.clock.pass_by(seconds=8)
        as_of = "2026-11-30T11:59:59.000Z"
        self.service.finish(TASK, CONTENT, rows=10, data_as_of=as_of)

    def stand(self) -> None:
        """The task is there, and has its file."""
        self.create()
        self.finish()

    def request(self, name: str, also: bool = False) -> dict[str, Any]:
        """The request that the document's examples make: of what must be given, and of what the
        example's answer was asked with; `also` of everything there is in the query.
        """
        method, path, operation = OPERATIONS[name]
        example = EXAMPLES[name.removesuffix("Head")]
        query, headers = {}, {}
        for each in operation.get("parameters", ()):
            if each["in"] == "path":
                path = path.replace(f"{{{each['name']}}}", each["example"])
            if each["in"] == "header" and each["name"] == "Instance-Id":
                headers[each["name"]] = each["example"]
            if each["in"] == "query" and (also or each["name"] in example.query):
                query[each["name"]] = sent(each)
        made = {"method": method, "path": path, "params": query, "headers": headers}
        if body := operation.get("requestBody"):
            made["json"] = body["content"][JSON]["example"]
        return made

    def ask(self, name: str, also: bool = False, who: Client | None = None, **changes: Any) -> Any:
        """What comes of a call's examples, with these changes."""
        made = {**self.request(name, also), **changes}
        if CALL_OF[name.removesuffix("Head")].open:
            made.setdefault("headers", {})["Host"] = "exports.example"
            return self.service.http.request(made.pop("method"), made.pop("path"), **made)
        who = who or self.ada
        return who.by_token(made.pop("method"), made.pop("path"), PROJECT, **made)

    def told(self, answer: Any) -> Any:
        """An answer's JSON with the ids of this run as the examples' own."""
        text = answer.text.replace(self.ada.user_id, USER)
        text = re.sub(r'("request_id": ?")[0-9a-f]{32}', rf"\g<1>{REQUEST}", text)
        return json.loads(re.sub(r'("position": ?)\d+', r"\g<1>12", text))


def sent(parameter: dict[str, Any]) -> str:
    """A parameter's example as it goes into a query."""
    if "content" in parameter:
        return json.dumps(parameter["content"][JSON]["example"])
    return str(parameter["example"])
