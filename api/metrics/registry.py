"""Registry: every metric there is, what it means, and which labels tell its series apart.

Labels take values of closed sets alone: routes, methods, codes, never a user, a task or a path. So
the number of series depends on nothing that anybody does.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from api.metrics.processes import APPEND_BOUNDS
from api.metrics.traffic import BOUNDS
from projections.measures import BOUNDS as TASK_BOUNDS

PREFIX = "export_tasks_"

Kind = Literal["counter", "gauge", "histogram", "info"]


class Metric(NamedTuple):
    """A metric's name without the prefix, its type, what it means, its labels; a histogram's
    buckets end at `bounds`, in seconds.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


OF_REQUESTS = (
    Metric(
        "http_requests_total",
        "counter",
        "Requests that ended, by route, method and status.",
        ("route", "method", "status"),
    ),
    Metric(
        "http_errors_total",
        "counter",
        "Requests that were answered with an error, by its code.",
        ("route", "method", "code"),
    ),
    Metric(
        "http_request_duration_seconds",
        "histogram",
        "From a request's head to the first byte of its answer.",
        ("route", "method"),
        BOUNDS,
    ),
    Metric("http_requests_in_flight", "gauge", "Requests that are being answered."),
    Metric(
        "downloads_total", "counter", "Requests for a file, by what became of them.", ("outcome",)
    ),
)

OF_PROCESSES = (
    Metric("processes", "gauge", "Processes of the service that run.", ("role",)),
    Metric("threads_busy", "gauge", "Threads that handle a request, by what for.", ("pool",)),
    Metric("threads_waiting", "gauge", "Requests that wait for such a thread.", ("pool",)),
    Metric("threads_limit", "gauge", "How many such threads there may be.", ("pool",)),
    Metric(
        "store_append_duration_seconds",
        "histogram",
        "How long appends to the event store took, those that failed included.",
        (),
        APPEND_BOUNDS,
    ),
    Metric("store_appends_total", "counter", "Appends to the event store.", ("outcome",)),
    *(
        Metric(f"process_{name}", "gauge", meaning, ("role", "process"))
        for name, meaning in (
            ("virtual_memory_bytes", "Virtual memory of a process."),
            ("resident_memory_bytes", "Resident memory of a process."),
            ("start_time_seconds", "When a process started, since 1970."),
            ("open_fds", "Open file descriptors of a process."),
            ("max_fds", "How many file descriptors a process may have open."),
        )
    ),
    Metric(
        "process_cpu_seconds_total",
        "counter",
        "User and system time of a process.",
        ("role", "process"),
    ),
    Metric(
        "build_info",
        "info",
        "Which build this is, and on what it runs.",
        ("version", "python", "events", "results"),
    ),
)

OF_TASKS = (
    Metric("tasks", "gauge", "Kept export tasks by status.", ("status",)),
    Metric("tasks_created_total", "counter", "Tasks that were created."),
    Metric("tasks_failed_total", "counter", "Tasks that failed, by why.", ("code",)),
    Metric("tasks_removed_total", "counter", "Tasks that were removed, by why.", ("reason",)),
    Metric("queue_depth", "gauge", "Unfinished tasks that no exporter works on."),
    Metric(
        "queue_oldest_age_seconds",
        "gauge",
        "How long ago the oldest of the tasks that wait was created.",
    ),
    Metric(
        "task_wait_seconds",
        "histogram",
        "From a task's creation to its first claim.",
        (),
        TASK_BOUNDS,
    ),
    Metric(
        "task_run_seconds",
        "histogram",
        "From the claim that completed a task to its end.",
        (),
        TASK_BOUNDS,
    ),
    Metric(
        "task_total_seconds",
        "histogram",
        "From a task's creation to the file that can be downloaded.",
        (),
        TASK_BOUNDS,
    ),
    Metric("rows_written_total", "counter", "Rows in files that were completed."),
    Metric("written_bytes_total", "counter", "Bytes of files that were completed."),
    Metric("claims_total", "counter", "Tasks that exporters took, each time that one did."),
    Metric("claims_ended_total", "counter", "Claims that ended, by how.", ("outcome",)),
    Metric("claims_held", "gauge", "Tasks that exporters work on."),
    Metric("downloads_granted_total", "counter", "Downloads that count for the interval."),
)

OF_STORES = (
    Metric("store_up", "gauge", "1 where a store answers, 0 where it does not.", ("store",)),
    Metric("log_position", "gauge", "The position of the last event."),
    Metric("projection_position", "gauge", "The position that the read tables were at."),
    Metric("projection_lag_positions", "gauge", "How far the read tables were behind the log."),
    Metric(
        "projection_lag_seconds", "gauge", "How long ago the first event that they lacked happened."
    ),
    Metric("quarantined_streams", "gauge", "Streams with an event that could not be applied."),
    Metric("quarantined_owners", "gauge", "Owners of kept tasks among those streams."),
    Metric("disk_free_bytes", "gauge", "Room for this user on the disk of a place.", ("place",)),
    Metric("disk_size_bytes", "gauge", "Size of the disk of a place.", ("place",)),
)

OF_AUDIT = (
    Metric("checkpoint_size", "gauge", "Events that the last signed checkpoint seals."),
    Metric("checkpoint_age_seconds", "gauge", "How long ago the last checkpoint was signed."),
    Metric("unsealed_events", "gauge", "Events that are in no checkpoint yet."),
    Metric("audit_sinks_failing", "gauge", "Sinks that do not take checkpoints."),
    Metric("audit_place_failing", "gauge", "1 where checkpoints cannot be kept."),
    Metric("log_altered", "gauge", "1 where the stored events are not those that were signed."),
)

METRICS = (*OF_TASKS, *OF_REQUESTS, *OF_STORES, *OF_PROCESSES, *OF_AUDIT)
