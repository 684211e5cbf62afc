"""One installation exports from another: two real services, the official SDK between them."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkiotda import v5

from exporter.sources import Remote
from exporter.sources.iotda import open_iotda
from exporter.sources.sql import SqlSource
from tests.ports import kept_port
from tests.service import Home, eventually
from tests.upstream import Upstream
from tests.workshop import sheets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SDK: Any = v5
ROWS = 1_700


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Home]:
    folder = tmp_path / "up"
    folder.mkdir()
    home = Home(folder)
    home.serve(port=kept_port(home))
    yield home
    home.close()


@pytest.fixture
def throttled(tmp_path: Path) -> Iterator[Upstream]:
    upstream = Upstream(tmp_path / "up")
    yield upstream
    upstream.close()


@pytest.fixture
def downstream(tmp_path: Path, upstream: Home) -> Iterator[Home]:
    folder = tmp_path / "down"
    folder.mkdir()
    home = Home(folder, source=f"iotda+{upstream.services[0].endpoint}", source_region="cn-north-4")
    home.environment["HUAWEICLOUD_SDK_AK"] = upstream.begun["access_key"]
    home.environment["HUAWEICLOUD_SDK_SK"] = upstream.begun["secret_key"]
    home.run("project", "add", "mapped", "--upstream-project", upstream.project)
    yield home
    home.close()


def client(home: Home, keys: dict[str, str], project_id: str) -> Any:
    """The official SDK's, at a service."""
    credentials = BasicCredentials(keys["access_key"], keys["secret_key"], project_id)
    built = SDK.IoTDAClient.new_builder().with_credentials(credentials)
    return built.with_endpoint(home.services[-1].endpoint).build()


def exported(client: Any, batch_id: str) -> Any:
    """A task that has ended."""
    body = SDK.AddExportTask(resource_type="BatchTask", resource_condition={"task_id": batch_id})
    client.create_export_task(SDK.CreateExportTaskRequest(body=body))
    ask = SDK.ListExportTasksRequest(limit=1)
    return eventually(
        lambda: next(
            (task for task in client.list_export_tasks(ask).export_tasks
             if task.status != "Processing"), None,
        )
    )  # fmt: skip


def test_one_installation_exports_from_another(upstream: Home, downstream: Home) -> None:
    batch_id = upstream.batch(ROWS)
    local = SqlSource(upstream.folder / "home" / "source.sqlite")
    rows = [[cell or "" for cell in row] for page in local.pages(batch_id) for row in page]
    added = ("user", "add", "cid", "--project", "mapped", "--admin", "--json")
    keys = json.loads(downstream.run(*added))
    downstream.serve()
    there = client(downstream, keys, "mapped")
    task = exported(there, batch_id)
    assert (task.status, task.export_count) == ("Success", ROWS)
    request = SDK.ShowExportTaskRequest(export_task_id=task.export_task_id)
    book = sheets(there.show_export_task(request).raw_content)
    assert book["details"][1:] == rows[::-1]
    unmapped = exported(client(downstream, downstream.begun, downstream.project), batch_id)
    assert unmapped.status == "Failed"
    told = json.loads(downstream.run("task", "list", "--project", downstream.project, "--json"))
    assert "IOTDA.014705" in json.dumps(told)
    assert downstream.services[0].stop() == 0


def test_an_upstream_that_is_killed_and_comes_back_is_read_on(upstream: Home) -> None:
    batch_id = upstream.batch(ROWS)
    service = upstream.services[0]
    keys = {"HUAWEICLOUD_SDK_AK": upstream.begun["access_key"]}
    keys["HUAWEICLOUD_SDK_SK"] = upstream.begun["secret_key"]
    remote = Remote(projects=lambda: {"p1": upstream.project})
    with closing(open_iotda(f"iotda+{service.endpoint}", remote, keys)) as source:
        assert source.find("p1", batch_id, None)
        pages = source.pages(batch_id)
        read = next(pages)
        service.kill_everything()
        assert next(pages) == [], "it waits"
        upstream.serve(port=int(service.endpoint.rpartition(":")[2]))
        read += [row for page in pages for row in page]
    local = SqlSource(upstream.folder / "home" / "source.sqlite")
    assert read == [row for page in local.pages(batch_id) for row in page][::-1]


def test_a_service_whose_upstream_does_not_take_the_key_says_so_and_does_not_start(
    downstream: Home,
) -> None:
    downstream.environment["HUAWEICLOUD_SDK_SK"] = "s" * 40
    said = downstream.refused("serve", "--port", "0")
    assert "access key" in said
    assert "s" * 40 not in said
    del downstream.environment["HUAWEICLOUD_SDK_SK"]
    assert "HUAWEICLOUD_SDK_SK must be given" in downstream.refused("serve", "--port", "0")


def test_a_service_whose_upstream_takes_no_calls_for_now_starts_and_exports_wait(
    tmp_path: Path, throttled: Upstream
) -> None:
    batch_id = throttled.batch(5)
    throttled.plan(faults=["429"], retry_after="3600")
    (folder := tmp_path / "down").mkdir()
    home = Home(folder, "--project", "plant-1", source=throttled.source)
    home.environment |= throttled.keys
    home.run("project", "add", "mapped", "--upstream-project", throttled.project)
    keys = json.loads(home.run("user", "add", "cid", "--project", "mapped", "--admin", "--json"))
    with closing(home):
        service = home.serve()
        (warning,) = [line for line in service.records() if line["level"] == "warning"]
        assert throttled.seen()["429"] == 1
        assert throttled.endpoint in warning["message"]
        assert "takes no more calls for now (HTTP 429). Exports wait" in warning["message"]
        assert exported(client(home, keys, "mapped"), batch_id).status == "Success"
        assert service.stop() == 0


def test_the_official_client_reads_batch_tasks_page_by_page(upstream: Home) -> None:
    batch_id = upstream.batch(120)
    asking = client(upstream, upstream.begun, upstream.project)
    shown = asking.show_batch_task(SDK.ShowBatchTaskRequest(task_id=batch_id, limit=50, offset=100))
    assert shown.batchtask.task_id == batch_id
    assert shown.batchtask.task_progress.total == 120
    assert (len(shown.task_details), shown.page.count) == (20, 120)
    assert shown.task_details[0].target
    kind = shown.batchtask.task_type
    listed = asking.list_batch_tasks(SDK.ListBatchTasksRequest(task_type=kind))
    assert [each.task_id for each in listed.batchtasks] == [batch_id]
    assert listed.page.marker == batch_id
