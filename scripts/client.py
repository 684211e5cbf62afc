"""Client: export tasks through the official SDK, as any program of a client's uses it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials


class Client:
    """The calls of the demonstration; the SDK has no types of its own."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str, project_id: str) -> None:
        self._sdk: Any = import_module("huaweicloudsdkiotda.v5")
        credentials = BasicCredentials(access_key, secret_key, project_id)
        builder = self._sdk.IoTDAClient.new_builder().with_credentials(credentials)
        self._client = builder.with_endpoint(endpoint).build()

    def create(self, batch_id: str) -> Any:
        """A new export task of a batch task."""
        condition = {"task_id": batch_id}
        body = self._sdk.AddExportTask(resource_type="BatchTask", resource_condition=condition)
        return self._client.create_export_task(self._sdk.CreateExportTaskRequest(body=body))

    def find(self, task_id: str) -> Any:
        """How the task stands, from the list: the API has no other way to ask."""
        answer = self._client.list_export_tasks(self._sdk.ListExportTasksRequest(limit=50))
        (task,) = [each for each in answer.export_tasks if each.export_task_id == task_id]
        return task

    def download(self, task_id: str) -> bytes:
        """The bytes of the file."""
        request = self._sdk.ShowExportTaskRequest(export_task_id=task_id)
        content: bytes = self._client.show_export_task(request).raw_content
        return content
