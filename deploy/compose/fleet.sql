-- Where batch tasks come from in this example; views over tables of your own do as well
-- (docs/source.md).
CREATE DATABASE fleet;
\connect fleet
CREATE TABLE batch_tasks (
    task_id text PRIMARY KEY,
    project_id text NOT NULL,
    app_id text,
    task_name text,
    task_type text,
    status text NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE TABLE batch_task_details (
    task_id text NOT NULL,
    seq bigint NOT NULL,
    target text,
    status text,
    output text,
    error_code text,
    error_msg text,
    PRIMARY KEY (task_id, seq)
);
