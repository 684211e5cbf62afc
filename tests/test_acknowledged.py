"""Nothing acknowledged is ever lost: the official SDK against a service that is killed."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServerResponseException
from huaweicloudsdkiotda.v5 import (
    AddExportTask,
    CreateExportTaskRequest,
    IoTDAClient,
    ListExportTasksRequest,
    ShowExportTaskRequest,
)

from tests.database import QUICK, running_database
from tests.gated import Gated
from tests.service import Home, eventually

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")

SECRET_KEY = "the secret key of all the machines"


def client(home, service):
    """The official client of the home's first user."""
    begun = home.begun
    credentials = BasicCredentials(begun["access_key"], begun["secret_key"], home.project)
    return (
        IoTDAClient.new_builder()
        .with_credentials(credentials)
        .with_endpoint(service.endpoint)
        .build()
    )


def create(home, service, batch):
    """Creates an export as a client does."""
    body = AddExportTask(resource_type="BatchTask", resource_condition={"task_id": batch})
    return client(home, service).create_export_task(CreateExportTaskRequest(body=body))


def listed(home, service):
    """The tasks as a client sees them."""
    return client(home, service).list_export_tasks(ListExportTasksRequest()).export_tasks


@pytest.fixture
def home(tmp_path):
    """A home whose exporters' leases are short."""
    home = Home(tmp_path, lease="2s")
    yield home
    home.close()


def test_a_task_whose_201_was_seen_is_there_after_kill_9_of_everything_and_completes(home):
    batch = home.batch(30_000)
    service = home.serve("--workers", "2", "--exporters", "2")
    task = create(home, service, batch)
    service.kill_everything()
    service = home.serve()
    (found,) = listed(home, service)
    assert found.export_task_id == task.export_task_id
    eventually(lambda: listed(home, service)[0].status == "Success")
    request = ShowExportTaskRequest(export_task_id=task.export_task_id)
    content = client(home, service).show_export_task(request).raw_content
    assert content[:8] == bytes.fromhex("d0cf11e0a1b11ae1")
    assert service.stop() == 0


def test_kill_9_of_an_exporter_in_mid_export_costs_an_attempt(tmp_path, database):
    with closing(Gated(database)) as source, closing(holding(tmp_path, source)) as home:
        an_exporter_is_killed(home, source)


def holding(folder, source):
    """A home of the gate's project, whose exports of the long batch task are held at half."""
    source.shut()
    return Home(folder, "--project", "plant-1", lease="2s", source=source.url)


def an_exporter_is_killed(home, source):
    service = home.serve()
    task = create(home, service, source.long)
    eventually(lambda: listed(home, service)[0].export_count > 0)
    (exporter,) = service.pids("exporter")
    os.kill(exporter, signal.SIGKILL)
    source.open()
    eventually(lambda: listed(home, service)[0].status == "Success")
    told = home.run("event", "list", "--task", task.export_task_id, "--json")
    assert '"attempt":2' in told.splitlines()[-1].replace(" ", "")
    assert service.stop() == 0


def test_a_database_that_dies_is_told_with_503_and_then_the_service_goes_on_by_itself(tmp_path):
    with running_database(**QUICK) as database, closing(Home(tmp_path, **over(database))) as home:
        batch = home.batch(2_000)
        service = home.serve("--workers", "2", "--exporters", "1")
        tasks = [create(home, service, batch)]
        database.kill()
        for ask in (lambda: create(home, service, batch), lambda: listed(home, service)):
            with pytest.raises(ServerResponseException) as refused:
                ask()
            assert (refused.value.status_code, refused.value.error_code) == (503, "IOTDA.000007")
        assert (status(f"{service.endpoint}/readyz"), status(f"{service.endpoint}/livez")) == (
            (503, "5"),
            (200, None),
        )
        database.start()
        eventually(lambda: status(f"{service.endpoint}/readyz")[0] == 200)
        tasks.append(create(home, service, batch))
        found = eventually(lambda: all_done(listed(home, service)))
        assert {each.export_task_id for each in tasks} == {each.export_task_id for each in found}
        assert service.stop() == 0


def over(database):
    """The settings of a service over a database."""
    return {"lease": "2s", "events": database.url(), "secret_key": SECRET_KEY}


def all_done(tasks):
    return tasks if all(task.status == "Success" for task in tasks) else None


def status(url):
    try:
        with urlopen(url) as answer:
            return answer.status, answer.headers["retry-after"]
    except HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.headers["retry-after"]
