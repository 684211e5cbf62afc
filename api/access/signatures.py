"""Signatures: makes, reads and checks AK/SK signatures of raw requests (contract, section 4)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import quote, unquote_to_bytes

SKEW = timedelta(minutes=15)
"""How far `X-Sdk-Date` may lie from the service's clock, on either side."""

AUTHORIZATION_LIMIT = 8 * 1024
"""The longest `Authorization` header that is read, in bytes."""

Scheme: TypeAlias = Literal["signature", "token", "none"]
_Headers: TypeAlias = dict[bytes, list[bytes]]

_AUTHORIZATION = re.compile(
    rb"(?:SDK-HMAC-SHA256 Access=(?P<plain>[\w-]+)"
    rb"|V11-HMAC-SHA256 Credential=(?P<derived>[\w-]+)/(?P<info>\d{8}/[^/,\s]+/iotdm)), "
    rb"SignedHeaders=(?P<names>[\w!#$%&'*+.^`|~;-]+), "
    rb"Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = re.compile(rb"\d{8}T\d{6}Z")
_FORMS = (
    "SDK-HMAC-SHA256 Access=KEY or V11-HMAC-SHA256 Credential=KEY/YYYYMMDD/region/iotdm, "
    "with SignedHeaders=a;b and Signature=hex after it"
)
_NAME_SHOWN = 64


class NotAuthentic(Exception):
    """The request proves nothing about its sender.

    `reason` is short and fit for the log and the answer: it never holds a secret, a signature or
    the canonical request.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unproven(NotAuthentic):
    """A proof was given, and is wrong; perhaps a guess.

    `claimed` is the access key of a wrong signature as it was sent; `user_id` and `access_key` are
    of whom it would have proven to be, where that is known.
    """

    def __init__(
        self,
        reason: str,
        *,
        claimed: str | None = None,
        user_id: str | None = None,
        access_key: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.claimed = claimed
        self.user_id = user_id
        self.access_key = access_key


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request exactly as it came over the wire: nothing decoded, header names in any case."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A well-formed, timely signature that still has to be checked against the key's secret."""

    access_key: str
    security_token: str | None = field(repr=False)
    _info: bytes = field(repr=False)
    _string_to_sign: bytes = field(repr=False)
    _signature: bytes = field(repr=False)

    def check(self, secret_key: str) -> None:
        """Raises NotAuthentic unless the access key's secret made this signature."""
        key = self._signing_key(secret_key.encode())
        expected = _hmac(key, self._string_to_sign).hex().encode()
        if not (hmac.compare_digest(expected, self._signature) and secret_key):
            raise NotAuthentic("the signature does not match the request")

    def _signing_key(self, secret: bytes) -> bytes:
        if not self._info:
            return secret
        extracted = _hmac(self.access_key.encode(), secret)
        return _hmac(extracted, self._info + b"\x01").hex().encode()


_ALGORITHMS = (b"SDK-HMAC-SHA256", b"V11-HMAC-SHA256")


def scheme(request: RawRequest) -> Scheme:
    """Which way in the request takes: a signature goes before a token, as the SDK may send both.

    A client of the SDK keeps it from signing by any other `Authorization` beside the token.
    """
    named = [(name.lower(), value) for name, value in request.headers]
    claims = [value for name, value in named if name == b"authorization"]
    if any(name == b"x-auth-token" for name, _ in named):
        signed = any(value.startswith(_ALGORITHMS) for value in claims)
        return "signature" if signed else "token"
    return "signature" if claims else "none"


def read(request: RawRequest, now: datetime) -> Signed:
    """The request's signature, ready to be checked.

    `now` is the service's clock, with its time zone. Raises NotAuthentic for a signature that is
    missing, malformed or out of date, or that does not fit the rest of the request.
    """
    headers = _gathered(request)
    claim = _claim(_sole(headers, b"authorization"))
    date = _date(headers, claim, now)
    digest = _body_digest(request.body, headers)
    canonical = _canonical_request(request, headers, claim.names, digest)
    lines = [claim.algorithm, date, claim.info, hashlib.sha256(canonical).hexdigest().encode()]
    return Signed(
        access_key=claim.access_key,
        security_token=_security_token(headers),
        _info=claim.info,
        _string_to_sign=b"\n".join(line for line in lines if line),
        _signature=claim.signature,
    )


def sign(request: RawRequest, access_key: str, secret_key: str) -> bytes:
    """`Authorization` for a request as it will be sent; it covers every header that is there.

    `X-Sdk-Date` is one of them. The algorithm is SDK-HMAC-SHA256, which needs no region.
    """
    headers = _gathered(request)
    names, digest = sorted(headers), hashlib.sha256(request.body).hexdigest().encode()
    canonical = _canonical_request(request, headers, names, digest)
    date = _sole(headers, b"x-sdk-date")
    lines = [_ALGORITHMS[0], date, hashlib.sha256(canonical).hexdigest().encode()]
    signature = _hmac(secret_key.encode(), b"\n".join(lines)).hex()
    listed = b";".join(names).decode()
    return (
        f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={listed}, Signature={signature}"
    ).encode()


class _Claim(NamedTuple):
    """What `Authorization` says; `info` is empty for the algorithm that derives no key."""

    algorithm: bytes
    access_key: str
    info: bytes
    names: list[bytes]
    signature: bytes


def _claim(authorization: bytes) -> _Claim:
    if len(authorization) > AUTHORIZATION_LIMIT:
        raise NotAuthentic(f"Authorization is longer than {AUTHORIZATION_LIMIT} bytes")
    parts = _AUTHORIZATION.fullmatch(authorization)
    if parts is None:
        raise NotAuthentic(f"Authorization is not {_FORMS}")
    algorithm = authorization.partition(b" ")[0]
    access_key = (parts["plain"] or parts["derived"]).decode()
    names = _names(parts["names"])
    return _Claim(algorithm, access_key, parts["info"] or b"", names, parts["signature"])


def _names(listed: bytes) -> list[bytes]:
    names = sorted(listed.lower().split(b";"))
    if len(set(names)) < len(names):
        raise NotAuthentic("SignedHeaders names a header more than once")
    return names


def _date(headers: _Headers, claim: _Claim, now: datetime) -> bytes:
    date = _sole(headers, b"x-sdk-date")
    if b"x-sdk-date" not in claim.names:
        raise NotAuthentic("X-Sdk-Date is not signed")
    if abs(now - _moment(date)) > SKEW:
        raise NotAuthentic(f"X-Sdk-Date is more than {SKEW // timedelta(minutes=1)} minutes off")
    if claim.info and claim.info[:8] != date[:8]:
        raise NotAuthentic("the date in Credential is not that of X-Sdk-Date")
    return date


def _moment(date: bytes) -> datetime:
    malformed = NotAuthentic("X-Sdk-Date is not a time of the form YYYYMMDDTHHMMSSZ")
    if not _DATE.fullmatch(date):
        raise malformed
    try:
        return datetime.fromisoformat(date.decode())
    except ValueError:
        raise malformed from None


def _body_digest(body: bytes, headers: _Headers) -> bytes:
    digest = hashlib.sha256(body).hexdigest().encode()
    declared = b"x-sdk-content-sha256"
    if body and declared in headers and _sole(headers, declared) != digest:
        raise NotAuthentic("X-Sdk-Content-Sha256 is not the SHA-256 of the body")
    return digest


def _security_token(headers: _Headers) -> str | None:
    if b"x-security-token" not in headers:
        return None
    token = _sole(headers, b"x-security-token")
    if not token.isascii():
        raise NotAuthentic("X-Security-Token holds more than ASCII")
    return token.decode()


def _gathered(request: RawRequest) -> _Headers:
    headers: _Headers = defaultdict(list)
    for name, value in request.headers:
        headers[name.lower()].append(value.strip())
    return dict(headers)


def _sole(headers: _Headers, name: bytes) -> bytes:
    # Of a header given twice the signature could cover one and the handler read the other.
    values = headers.get(name, [])
    if len(values) != 1:
        fault = "given more than once" if values else "missing"
        raise NotAuthentic(f"the header {name[:_NAME_SHOWN].decode()} is {fault}")
    return values[0]


def _canonical_request(
    request: RawRequest, headers: _Headers, names: list[bytes], digest: bytes
) -> bytes:
    parts = [
        request.method.encode(),
        _canonical_path(request.path),
        _canonical_query(request.query),
        b"".join(b"%b:%b\n" % (name, _sole(headers, name)) for name in names),
        b";".join(names),
        digest,
    ]
    return b"\n".join(parts)


def _canonical_path(path: bytes) -> bytes:
    canonical = quote(unquote_to_bytes(path), safe="/")
    return canonical.removesuffix("/").encode() + b"/"


def _canonical_query(query: bytes) -> bytes:
    pairs = sorted(_pair(piece) for piece in query.split(b"&") if piece)
    return "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in pairs).encode()


def _pair(piece: bytes) -> tuple[bytes, bytes]:
    # "+" is a space, as in every form: the handlers read the query so, and so do clients write it.
    key, _, value = piece.replace(b"+", b" ").partition(b"=")
    return unquote_to_bytes(key), unquote_to_bytes(value)


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
