// The four calls of export tasks through the official Node core, as its IoTDA package would define them.
// Environment: ENDPOINT, AK, SK, PROJECT, BATCH, FILE (where the download goes), REGION (signs by V11),
// RESULTS and STORED (a copy of the first is made there while the task is still known: the sweeper
// takes the file of a task that was removed).
// Writes one JSON document of what it was told to the file TOLD: the core logs to stdout.

const { cpSync, writeFileSync } = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");
const { BasicCredentials } = require("@huaweicloud/huaweicloud-sdk-core/auth/BasicCredentials");
const { ClientBuilder } = require("@huaweicloud/huaweicloud-sdk-core/ClientBuilder");

const { ENDPOINT, AK, SK, PROJECT, BATCH, FILE, TOLD, REGION, RESULTS, STORED } = process.env;
const TASKS = "/v5/iot/{project_id}/export-tasks";
const TASK = TASKS + "/{export_task_id}";

const credentials = new BasicCredentials().withAk(AK).withSk(SK).withProjectId(PROJECT);
if (REGION) credentials.processDerivedAuthParams("iotdm", REGION);
const client = new ClientBuilder((core) => core)
  .withCredential(credentials)
  .withEndpoint(ENDPOINT)
  .build();

const request = (method, url, more = {}) => ({
  method,
  url,
  contentType: "application/json",
  queryParams: {},
  headers: {},
  data: {},
  ...more,
  pathParams: { project_id: PROJECT, ...more.pathParams },
});

const create = (batch) =>
  client.sendRequest(
    request("POST", TASKS, {
      data: { resource_type: "BatchTask", resource_condition: { task_id: batch } },
    }),
  );
const list = (queryParams) => client.sendRequest(request("GET", TASKS, { queryParams }));
// Bytes come whole as an array buffer alone; but of a refusal the core then reads no code.
const download = (export_task_id, axiosRequestConfig = { responseType: "arraybuffer" }) =>
  client.sendRequest(
    request("GET", TASK + "/file", { pathParams: { export_task_id }, axiosRequestConfig }),
  );
const remove = (export_task_id) =>
  client.sendRequest(request("DELETE", TASK, { pathParams: { export_task_id } }));

// What an error tells an application.
const error = (call) =>
  call.then(
    () => null,
    ({ errorCode, errorMsg, httpStatusCode, requestId }) => ({
      errorCode,
      errorMsg,
      httpStatusCode,
      requestId,
    }),
  );

async function finished(export_task_id) {
  for (;;) {
    const { export_tasks } = await list({ limit: 50, resource_type: "BatchTask" });
    const task = export_tasks.find((each) => each.export_task_id === export_task_id);
    if (task.status !== "Processing") return task;
    await sleep(100);
  }
}

async function main() {
  const created = await create(BATCH);
  const task = await finished(created.export_task_id);
  const file = await download(created.export_task_id);
  writeFileSync(FILE, file.body);
  const again = await error(download(created.export_task_id, {}));
  cpSync(RESULTS, STORED, { recursive: true });
  const removed = await remove(created.export_task_id);
  const gone = await error(remove("f".repeat(24)));
  const wrong = await error(create(""));
  writeFileSync(TOLD, JSON.stringify({ created, task, again, removed, gone, wrong }));
}

main().catch((fault) => {
  console.error(fault);
  process.exit(1);
});
