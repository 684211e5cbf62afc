"""Recorded: a command whose stderr is a log; off a terminal there is nothing but records on it."""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from scripts.cli import one_line, told
from scripts.exits import INTERRUPTED, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)


class Recorded(click.Command):
    """Why it does not start is a record too: whoever collects the log needs that line most."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Reads its flags."""
        with _recorded():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs it."""
        with _recorded():
            return super().invoke(ctx)


@contextmanager
def _recorded() -> Iterator[None]:
    """Whatever fails inside is logged, and is the exit code alone from there on."""
    if sys.stderr.isatty():
        yield
        return
    before, threading.excepthook = threading.excepthook, _thread_failed
    try:
        yield
    except (click.exceptions.Exit, BrokenPipeError):
        raise
    except (KeyboardInterrupt, click.Abort) as stopped:
        raise click.exceptions.Exit(INTERRUPTED) from stopped
    except Exception as error:
        raise click.exceptions.Exit(_logged(error)) from error
    finally:
        threading.excepthook = before


def _logged(error: Exception) -> int:
    """The exit code."""
    from scripts.logs import log_to_stderr

    log_to_stderr()
    if isinstance(error, click.ClickException):
        log.error("%s", _words(error))
        return error.exit_code
    if isinstance(error, told()):
        log.error("%s", one_line(error))
    else:
        log.error("it failed", exc_info=error)
    return REFUSED


def _words(error: click.ClickException) -> str:
    """What it says; of wrong usage, where the right one is told too."""
    told = error.format_message()
    context = getattr(error, "ctx", None)
    return f"{told} See: {context.command_path} --help" if context else told


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    log.error("a thread failed", exc_info=failed.exc_value)
