"""S3's client: opened in one way for all, its faults in words."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from exporter.disk import ResultsFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import ClientConfig, RetryConfig, S3Config

CONNECT_SECONDS = 5.0
STALLED_SECONDS = 10.0
"""How long a request may bring nothing; a part of an upload must be taken within it."""

RETRY_SECONDS = 5.0
"""No request is tried again when it began so long ago; before that, with growing pauses by chance.

So a store that is gone is known after this time, one that hangs after the one above, and an upload
that hangs, with what is done to clean up after it, after three times that.
"""

LONGEST_PAUSE = 2.0
PAUSES_GROW = 3
RETRIES_MOST = 30
WHOLE_REQUEST = timedelta(days=1)
"""A download takes as long as its client likes, so long as bytes come when they are asked for."""

VARIABLES = (
    (
        "AWS_ENDPOINT_URL",
        "the object store's address; Amazon's for the region where it is not given",
    ),
    ("AWS_ENDPOINT_URL_S3", "the same, for S3 alone"),
    ("AWS_REGION", "the region"),
    ("AWS_DEFAULT_REGION", "the region, where AWS_REGION is not given"),
    ("AWS_ACCESS_KEY_ID", "which key"),
    ("AWS_SECRET_ACCESS_KEY", "its secret"),
    ("AWS_SESSION_TOKEN", "what goes with a key for a while"),
    ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "is the bucket named in the host"),
)
"""What is read of the environment where something is kept at `s3://…`, and what it means."""

KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
"""Those of them that are shown to nobody."""

_ASKED = re.compile(r"https?://(?:[^/@\s]*@)?[^/@\s]+")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_USER = re.compile(r"//[^/@]*@")
_METADATA = "169.254.169.254"
"""Where S3's client looks for keys that the environment does not give."""

_REFUSED = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}


def opened(bucket: str, prefix: str | None) -> Any:
    """The client for a bucket, or for what is below a prefix of it.

    Endpoint and keys come from the usual `AWS_…` variables; ValueError where they make no sense.
    """
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    config: S3Config = {"disable_bulk_delete": True}  # not every store has it
    client: ClientConfig = {
        "allow_http": True,  # where the endpoint that was given says so
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=STALLED_SECONDS),
        "timeout": WHOLE_REQUEST,
    }
    retry: RetryConfig = {
        "max_retries": RETRIES_MOST,
        "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        "backoff": {"max_backoff": timedelta(seconds=LONGEST_PAUSE), "base": PAUSES_GROW},
    }
    try:
        return S3Store(
            bucket, prefix=prefix, config=config, client_options=client, retry_config=retry
        )
    except BaseError as error:
        text = str(error).splitlines()[0].removeprefix("Generic S3 error: ")
        raise ValueError(f"the AWS_… variables cannot be used: {text}") from error


@contextmanager
def failing() -> Iterator[None]:
    """What the store refuses inside becomes a ResultsFailed."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        raise ResultsFailed(_in_words(error), passing=True) from error


def _in_words(error: Exception) -> str:
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    text = str(error)
    match = _CODE.search(text)
    code = match[1] if match else ""
    if code == "NoSuchBucket":
        return "the bucket does not exist"
    if code in _REFUSED or isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return f"the object store refuses access{code and f' ({code})'}"
    if _METADATA in text:
        return "no keys for the object store are given (AWS_ACCESS_KEY_ID)"
    return f"the object store fails ({code})" if code else "the object store does not answer"


def for_operators(error: Exception) -> str:
    """The error, and which endpoint was asked, where it was an object store: users are not told."""
    asked = _ASKED.search(str(error.__cause__)) if isinstance(error, ResultsFailed) else None
    return f"{error} ({_USER.sub('//', asked[0])})" if asked else str(error)


def is_missing(error: ResultsFailed) -> bool:
    """Is it the object that is missing, or the bucket?"""
    return isinstance(error.__cause__, FileNotFoundError) and "NoSuchBucket" not in str(
        error.__cause__
    )
