"""Uploads: what crashes leave half uploaded in a bucket, which no listing of objects shows."""

from __future__ import annotations

import hmac
import logging
import os
from datetime import datetime, timedelta
from hashlib import sha256
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from urllib.request import Request, urlopen
from xml.etree import ElementTree

from exporter.disk import ResultsFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER_SECONDS = 10.0
SIGNED_FOR = timedelta(minutes=5)

log = logging.getLogger(__name__)


class Upload(NamedTuple):
    """An upload that was begun and not ended: of which object below the prefix, and when."""

    name: str
    id: str
    begun: datetime


class Uploads:
    """Unfinished uploads in a bucket, of objects below a prefix.

    S3's client cannot list them. So its signed addresses are taken, and signed anew with what is
    asked: for that the secret key must be in the environment (`AWS_SECRET_ACCESS_KEY`). Where it is
    not, or the store does not tell, there are none to see, and the bucket's own rule removes them.
    """

    def __init__(self, store: Any, prefix: str) -> None:
        self._store, self._prefix = store, prefix
        self._untold = False

    def list(self) -> Iterator[Upload]:
        """A thousand of them at most. Raises ResultsFailed where the store does not answer."""
        secret = os.environ.get("AWS_SECRET_ACCESS_KEY")
        if secret is None:
            return
        query = {"uploads": "", "prefix": self._prefix}
        try:
            told = list(_told(_ask(self._signed("GET", "", query, secret))))
        except (HTTPError, ElementTree.ParseError) as error:
            if not self._untold:
                log.warning("the object store does not tell unfinished uploads: %s", error)
            self._untold = True
            return
        for path, upload_id, begun in told:
            if path.startswith(self._prefix):
                name = path.removeprefix(self._prefix)
                yield Upload(name, upload_id, datetime.fromisoformat(begun))

    def abort(self, upload: Upload) -> None:
        """Removes what was uploaded; nothing happens where it is gone. Raises ResultsFailed."""
        secret = os.environ["AWS_SECRET_ACCESS_KEY"]
        try:
            name = self._prefix + upload.name
            _ask(self._signed("DELETE", name, {"uploadId": upload.id}, secret))
        except HTTPError as error:
            if error.code != 404:
                raise ResultsFailed(
                    f"the object store fails ({error.code})", passing=True
                ) from error

    def _signed(self, method: Any, name: str, query: dict[str, str], secret: str) -> Request:
        from obstore import sign

        signed = sign(self._store, method, name, SIGNED_FOR)
        return Request(signed_anew(signed, method, query, secret), method=method)  # noqa: S310


def signed_anew(url: str, method: str, more: dict[str, str], secret: str) -> str:
    """A signed address with more in its query (AWS Signature Version 4)."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | more
    query.pop("X-Amz-Signature")
    canonical = urlencode(sorted(query.items()), quote_via=quote, safe="-._~")
    lines = [method, parts.path, canonical, f"host:{parts.netloc}", "", "host", "UNSIGNED-PAYLOAD"]
    scope = query["X-Amz-Credential"].split("/")[1:]
    request = sha256("\n".join(lines).encode()).hexdigest()
    to_sign = "\n".join([query["X-Amz-Algorithm"], query["X-Amz-Date"], "/".join(scope), request])
    key = f"AWS4{secret}".encode()
    for part in (*scope, to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{canonical}&X-Amz-Signature={key.hex()}"


def _ask(request: Request) -> bytes:
    try:
        with urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310  # as was signed
            return bytes(answer.read())
    except HTTPError:
        raise
    except (OSError, HTTPException) as error:
        raise ResultsFailed("the object store does not answer", passing=True) from error


def _told(answer: bytes) -> Iterator[list[str]]:
    document = ElementTree.fromstring(answer)  # noqa: S314  # from the store that has our files
    for each in document.iterfind("{*}Upload"):
        yield [each.findtext(f"{{*}}{tag}", "") for tag in ("Key", "UploadId", "Initiated")]
