"""Pages: all of the operators'."""

from api.console.operator import failures, hours, live, queue, service, task, tasks

PAGES = (
    *queue.PAGES,
    *hours.PAGES,
    *failures.PAGES,
    *tasks.PAGES,
    *task.PAGES,
    *service.PAGES,
    *live.PAGES,
)
