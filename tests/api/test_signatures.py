"""The verifier of signatures, held against the official SDK's own signers and client."""

from __future__ import annotations

import hashlib
import hmac
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.region import region as regions
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer import signer
from huaweicloudsdkiotda import v5
from hypothesis import assume, example, given
from hypothesis import strategies as st

from api.access.signatures import (
    AUTHORIZATION_LIMIT,
    SKEW,
    NotAuthentic,
    RawRequest,
    read,
    scheme,
    sign,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AK, SK, REGION = "AKGOLDEN0123456789XY", "a-secret-of-the-tests", "cn-north-4"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DATE = "20260301T120000Z"
PATH = "/v5/iot/p1/export-tasks"
BODY = b'{"resource_type": "BatchTask", "resource_condition": {"task_id": "5f43"}}'
SDK: Any = v5  # the SDK is not typed
SIGNERS: Any = signer
REGIONS: Any = regions
ALGORITHMS = pytest.mark.parametrize("derived", [False, True], ids=["plain", "derived"])


def signed(
    derived: bool,
    method: str = "POST",
    path: str = PATH,
    query: list[tuple[str, str]] | None = None,
    headers: dict[str, str] | None = None,
    body: bytes = BODY,
    region: str = REGION,
    service: str = "iotdm",
) -> RawRequest:
    """The request as the official signer would have it sent."""
    sent = {"X-Sdk-Date": DATE, "Content-Type": "application/json", **(headers or {})}
    request = SdkRequest(
        method=method,
        host="tasks.example.org",
        resource_path=path,
        query_params=list(query or []),
        header_params=sent,
        body=body,
    )
    credentials = BasicCredentials(AK, SK, "p1")
    if derived:
        SIGNERS.DerivationAKSKSigner(credentials).sign(request, service, region)
    else:
        SIGNERS.Signer(credentials).sign(request)
    wire_query = request.uri[len(path) :].removeprefix("?")
    wire = tuple((k.encode(), v.encode("latin-1")) for k, v in request.header_params.items())
    return RawRequest(method, path.encode(), wire_query.encode(), wire, body)


def verify(request: RawRequest, secret: str = SK, now: datetime = NOW) -> None:
    found = read(request, now)
    assert found.access_key == AK
    found.check(secret)


def refusal(request: RawRequest, secret: str = SK, now: datetime = NOW) -> str:
    with pytest.raises(NotAuthentic) as refused:
        verify(request, secret, now)
    assert SK not in refused.value.reason
    assert len(refused.value.reason) < 200
    return refused.value.reason


def header(request: RawRequest, name: str) -> bytes:
    return next(v for k, v in request.headers if k.lower() == name.lower().encode())


def with_header(request: RawRequest, name: str, value: bytes | None) -> RawRequest:
    """The request with one header replaced, added, or (None) left out."""
    kept = tuple(pair for pair in request.headers if pair[0].lower() != name.lower().encode())
    return replace(request, headers=kept if value is None else (*kept, (name.encode(), value)))


def with_authorization(request: RawRequest, old: str, new: str) -> RawRequest:
    value = header(request, "Authorization")
    assert old.encode() in value
    return with_header(request, "Authorization", value.replace(old.encode(), new.encode(), 1))


# --- golden vectors: made once with the official signers of huaweicloudsdkcore 3.1.219

GOLDEN = RawRequest(
    method="POST",
    path=b"/v5/iot/p1/export-tasks",
    query=b"limit=10&app_id=a%20b%2Fc~%E4%B8%AD",
    headers=(
        (b"Host", b"tasks.example.org"),
        (b"Content-Type", b"application/json"),
        (b"X-Sdk-Date", b"20260301T120000Z"),
    ),
    body=b'{"resource_type": "BatchTask"}',
)
GOLDEN_SIGNATURES = {
    "plain": b"SDK-HMAC-SHA256 Access=AKGOLDEN0123456789XY, "
    b"SignedHeaders=content-type;host;x-sdk-date, "
    b"Signature=17123bba705047df0d3df4b777206c9b0836abf5a12e8406685122b954db549e",
    "derived": b"V11-HMAC-SHA256 Credential=AKGOLDEN0123456789XY/20260301/cn-north-4/iotdm, "
    b"SignedHeaders=content-type;host;x-sdk-date, "
    b"Signature=255ebcf47efc1df8028403d9c4dd92453d99de30e969b401c4f23bd19092ece7",
}


@pytest.mark.parametrize("algorithm", GOLDEN_SIGNATURES)
def test_a_golden_signature_of_each_algorithm_is_authentic(algorithm: str) -> None:
    verify(with_header(GOLDEN, "Authorization", GOLDEN_SIGNATURES[algorithm]))


def test_our_own_signature_is_the_golden_one() -> None:
    assert sign(GOLDEN, AK, SK) == GOLDEN_SIGNATURES["plain"]


# --- whatever the official signer signs

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
nonsense = st.lists(
    st.sampled_from([*"az09+~-_.=;:@!,'()*$", "%", "%2F", "%2f", "%25", "%zz", "%E4%B8%AD", "%20"]),
    max_size=12,
).map("".join)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,15}", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)
TAKEN = {"host", "x-sdk-date", "content-type", "authorization", "x-security-token"}


def utf8(wire: str) -> bool:
    """Whether the decoded text is UTF-8: the SDK replaces other bytes, the verifier keeps them."""
    try:
        unquote_to_bytes(wire).decode()
    except UnicodeDecodeError:
        return False
    return True


@ALGORITHMS
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "PATCH"]),
    path=st.lists(text.map(lambda part: quote(part, safe="")), max_size=4).map("/".join),
    query=st.lists(st.tuples(text, text), max_size=6),
    body=st.binary(max_size=64),
)
@example("GET", "v5/a%2Fb/c d/", [("a", "2"), ("a", ""), ("a", "1"), ("", "x"), ("b+", "c d")], b"")
def test_what_the_official_signer_signs_is_authentic(
    derived: bool, method: str, path: str, query: list[tuple[str, str]], body: bytes
) -> None:
    verify(signed(derived, method, "/" + path, query, body=body))


@given(path=nonsense, query=nonsense, body=st.binary(max_size=64))
def test_what_we_sign_ourselves_is_authentic(path: str, query: str, body: bytes) -> None:
    headers = ((b"X-Sdk-Date", DATE.encode()), (b"Host", b"tasks.example.org"), (b"X-More", b"1"))
    request = RawRequest("POST", b"/" + path.encode(), query.encode(), headers, body)
    proof = (b"Authorization", sign(request, AK, SK))
    verify(replace(request, headers=(*headers, proof)))


@ALGORITHMS
@given(path=nonsense.filter(utf8), query=st.lists(nonsense.filter(utf8), max_size=5).map("&".join))
@example("a/%2F//%", "a=1&a=&a&&=&b=+%2B%zz&resource_condition=%7B%22task_id%22%3A%221%22%7D")
@example("", "")
def test_odd_paths_and_queries_are_read_as_the_official_signer_reads_them(
    derived: bool, path: str, query: str
) -> None:
    pairs = parse_qsl(query, keep_blank_values=True)
    assume("?" not in path)
    request = signed(derived, "GET", "/" + path, pairs, body=b"")
    verify(replace(request, query=query.encode()))


@ALGORITHMS
@given(headers=st.dictionaries(names, values, max_size=8))
@example({"Instance-Id": "  Größe 中 😀\u3000", "X-Empty": ""})
def test_signed_headers_may_hold_any_text_in_any_order(
    derived: bool, headers: dict[str, str]
) -> None:
    folded = {name.lower() for name in headers}
    assume(len(folded) == len(headers) and not folded & TAKEN)
    assume("x-sdk-content-sha256" not in folded)
    request = signed(derived, headers=headers)
    verify(replace(request, headers=tuple((k.upper(), v) for k, v in request.headers[::-1])))


def test_bytes_that_are_not_utf8_are_told_apart() -> None:
    request = signed(False, "GET", PATH + "/%EF%BF%BD", body=b"")
    verify(request)
    refusal(replace(request, path=PATH.encode() + b"/%FF"))
    refusal(replace(request, path=PATH.encode() + b"/\xff"))


def test_an_encoded_slash_signs_like_a_slash() -> None:
    request = signed(False, "GET", PATH + "/a%2Fb", body=b"")
    verify(request)
    verify(replace(request, path=PATH.encode() + b"/a/b"))


def test_a_space_in_the_query_may_be_written_as_a_plus() -> None:
    request = signed(False, "GET", query=[("app_id", "a b")], body=b"")
    assert request.query == b"app_id=a%20b"
    verify(replace(request, query=b"app_id=a+b"))
    refusal(replace(request, query=b"app_id=a%2Bb"))


def test_a_parameter_without_a_value_may_leave_out_the_equals_sign() -> None:
    request = signed(False, "GET", query=[("app_id", ""), ("limit", "1")], body=b"")
    verify(replace(request, query=b"limit=1&app_id"))


@pytest.mark.parametrize("region", ["cn-north-4", "eu_west_101", "x", "我".encode().hex()])
def test_any_region_is_taken(region: str) -> None:
    verify(signed(True, region=region))


def test_headers_that_are_not_listed_may_change() -> None:
    request = with_header(signed(False), "Accept", b"*/*")
    verify(with_header(request, "X-Forwarded-For", b"10.0.0.1"))


def by_hand(secret: str, listed: str = "x-sdk-date") -> RawRequest:
    """The smallest signature there is, written out: nothing is signed but the date."""
    lines = "".join(f"{name}:{DATE}\n" for name in listed.split(";"))
    canonical = f"GET\n/v5/\n\n{lines}\n{listed}\n{hashlib.sha256().hexdigest()}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"SDK-HMAC-SHA256\n{DATE}\n{digest}"
    signature = hmac.digest(secret.encode(), to_sign.encode(), "sha256").hex()
    value = f"SDK-HMAC-SHA256 Access={AK}, SignedHeaders={listed}, Signature={signature}"
    headers = ((b"X-Sdk-Date", DATE.encode()), (b"Authorization", value.encode()))
    return RawRequest("GET", b"/v5", b"", headers, b"")


def test_only_the_date_need_be_signed() -> None:
    verify(by_hand(SK))


def test_a_header_is_listed_only_once() -> None:
    reason = refusal(by_hand(SK, "x-sdk-date;x-sdk-date"))
    assert reason == "SignedHeaders names a header more than once"


def test_headers_are_listed_in_any_order_and_case() -> None:
    verify(with_authorization(signed(False), "content-type;host;x", "HOST;Content-Type;X"))


def test_space_around_a_signed_value_does_not_count() -> None:
    verify(with_header(signed(False), "Content-Type", b" application/json\t"))


# --- what changed on the way

CHANGES: dict[str, Callable[[RawRequest], RawRequest]] = {
    "method": lambda request: replace(request, method="PUT"),
    "path": lambda request: replace(request, path=request.path + b"/x"),
    "path case": lambda request: replace(request, path=request.path.upper()),
    "query value": lambda request: replace(request, query=b"limit=11"),
    "query added": lambda request: replace(request, query=request.query + b"&offset=0"),
    "query dropped": lambda request: replace(request, query=b""),
    "query repeated": lambda request: replace(request, query=b"limit=10&limit=10"),
    "body": lambda request: replace(request, body=request.body + b" "),
    "body dropped": lambda request: replace(request, body=b""),
    "host": lambda request: with_header(request, "Host", b"other.example.org"),
    "content type": lambda request: with_header(request, "Content-Type", b"text/plain"),
    "date": lambda request: with_header(request, "X-Sdk-Date", b"20260301T120001Z"),
    "header dropped": lambda request: with_header(request, "Host", None),
    "header repeated": lambda request: replace(
        request, headers=(*request.headers, (b"hOST", b"tasks.example.org"))
    ),
    "algorithm": lambda request: with_authorization(request, "-HMAC-SHA256", "-HMAC-SM3"),
    "list shortened": lambda request: with_authorization(request, "content-type;", ""),
    "list doubled": lambda request: with_authorization(request, "host;", "host;host;"),
    "list with a gap": lambda request: with_authorization(request, "host;", "host;;"),
    "signature": lambda request: with_authorization(request, "Signature=", "Signature=0"),
    "signature upper-case": lambda request: with_header(
        request,
        "Authorization",
        header(request, "Authorization")[:-64] + header(request, "Authorization")[-64:].upper(),
    ),
}


@ALGORITHMS
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_on_the_way_breaks_the_signature(derived: bool, change: str) -> None:
    request = signed(derived, query=[("limit", "10")])
    verify(request)
    refusal(CHANGES[change](request))


@ALGORITHMS
@pytest.mark.parametrize("secret", ["another", SK + "x", SK[:-1], "", "geheim-ä"])
def test_another_secret_does_not_verify(derived: bool, secret: str) -> None:
    assert refusal(signed(derived), secret) == "the signature does not match the request"


def test_a_signature_under_an_empty_secret_never_verifies() -> None:
    refusal(by_hand(""), secret="")


def test_a_derived_signature_belongs_to_its_region_date_and_access_key() -> None:
    request = signed(True)
    refusal(with_authorization(request, REGION, "cn-south-1"))
    with pytest.raises(NotAuthentic):
        read(with_authorization(request, AK, "OTHER"), NOW).check(SK)


@pytest.mark.parametrize(
    "credential",
    [
        "AK",
        "AK/",
        "AK/20260301",
        "AK/20260301//iotdm",
        "AK/20260301/r/iam",
        "AK/20260301/a/b/iotdm",
        "/20260301/r/iotdm",
        "AK/2026031/r/iotdm",
        "AK/20260301/r/iotdm/",
        "A K/20260301/r/iotdm",
    ],
)
def test_a_malformed_credential_is_refused(credential: str) -> None:
    request = with_authorization(signed(True), f"{AK}/20260301/{REGION}/iotdm", credential)
    assert "Authorization is not" in refusal(request)


@pytest.mark.parametrize("access_key", ["", "AK/", f"AK/20260301/{REGION}/iotdm", "A K", "Ä"])
def test_a_malformed_access_key_is_refused(access_key: str) -> None:
    assert "Authorization is not" in refusal(with_authorization(signed(False), AK, access_key))


def test_a_signature_made_for_another_service_is_refused() -> None:
    assert "iotdm" in refusal(signed(True, service="iam"))


def test_the_date_of_the_credential_must_be_that_of_the_request() -> None:
    request = with_authorization(signed(True), "/20260301/", "/20260228/")
    assert refusal(request) == "the date in Credential is not that of X-Sdk-Date"


# --- the form of the header


@ALGORITHMS
def test_a_header_cut_anywhere_is_refused(derived: bool) -> None:
    request = signed(derived)
    whole = header(request, "Authorization")
    for end in range(len(whole)):
        refusal(with_header(request, "Authorization", whole[:end]))
        if end:
            refusal(with_header(request, "Authorization", whole[end:]))


@ALGORITHMS
@pytest.mark.parametrize("more", [b"0", b",", b", Access=x", b";", b"\x00"])
def test_a_header_that_goes_on_is_refused(derived: bool, more: bytes) -> None:
    request = signed(derived)
    refusal(with_header(request, "Authorization", header(request, "Authorization") + more))


@ALGORITHMS
@given(where=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_header_with_one_other_byte_is_refused(derived: bool, where: int, byte: int) -> None:
    request = signed(derived)
    whole = header(request, "Authorization")
    where %= len(whole)
    changed = whole[:where] + bytes([byte]) + whole[where + 1 :]
    assume(changed.lower() != whole.lower())
    with suppress(NotAuthentic):
        found = read(with_header(request, "Authorization", changed), NOW)
        if found.access_key == AK:
            found.check(SK)
            pytest.fail("a changed header verified")


@given(authorization=st.binary(max_size=200), date=st.binary(max_size=20), path=st.binary())
def test_noise_is_refused_and_never_crashes(authorization: bytes, date: bytes, path: bytes) -> None:
    headers = ((b"Authorization", authorization), (b"X-Sdk-Date", date))
    refusal(RawRequest("GET", path, path, headers, path))


@pytest.mark.parametrize("name", ["Authorization", "X-Sdk-Date"])
def test_a_header_that_decides_may_be_given_only_once(name: str) -> None:
    request = signed(False)
    doubled = (*request.headers, (name.upper().encode(), header(request, name)))
    reason = refusal(replace(request, headers=doubled))
    assert reason == f"the header {name.lower()} is given more than once"


@pytest.mark.parametrize("name", ["Authorization", "X-Sdk-Date", "Content-Type"])
def test_a_missing_header_is_named(name: str) -> None:
    reason = refusal(with_header(signed(False), name, None))
    assert reason == f"the header {name.lower()} is missing"


def test_a_long_name_is_shortened_in_the_reason() -> None:
    request = with_authorization(signed(False), "=content-type", "=" + "n" * 1000)
    assert refusal(request) == f"the header {'n' * 64} is missing"


def test_thousands_of_signed_headers_are_refused_by_the_length_of_the_list() -> None:
    request = signed(False, headers={f"X-{n}": "v" for n in range(5000)})
    assert refusal(request) == f"Authorization is longer than {AUTHORIZATION_LIMIT} bytes"


def test_the_header_may_be_as_long_as_the_limit_and_no_longer() -> None:
    room = AUTHORIZATION_LIMIT - len(header(signed(False, headers={"A": ""}), "Authorization"))
    longest = signed(False, headers={"A" * (room + 1): ""})
    assert len(header(longest, "Authorization")) == AUTHORIZATION_LIMIT
    verify(longest)
    too_long = signed(False, headers={"A" * (room + 2): ""})
    assert "longer than" in refusal(too_long)


def test_a_thousand_signed_headers_within_the_limit_verify() -> None:
    verify(signed(False, headers={f"X{n}": "v" for n in range(1000)}))


# --- time


@ALGORITHMS
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_clock_may_be_fifteen_minutes_off_and_no_more(derived: bool, sign: int) -> None:
    request = signed(derived)
    verify(request, now=NOW + sign * SKEW)
    reason = refusal(request, now=NOW + sign * (SKEW + timedelta(microseconds=1)))
    assert reason == "X-Sdk-Date is more than 15 minutes off"


def test_a_derived_signature_outlives_midnight() -> None:
    before = {"X-Sdk-Date": "20260301T235959Z"}
    verify(signed(True, headers=before), now=datetime(2026, 3, 2, 0, 5, tzinfo=UTC))


def test_the_date_must_be_signed() -> None:
    request = with_authorization(signed(False), ";x-sdk-date", "")
    assert refusal(request) == "X-Sdk-Date is not signed"


@pytest.mark.parametrize(
    "date",
    [
        "",
        "20260301",
        "20260301T120000",
        "2026-03-01T12:00:00Z",
        "20261301T120000Z",
        "20260230T120000Z",
        "20260301T250000Z",
        "20260301T120060Z",
        "00000301T120000Z",
        "20260301t120000z",
        "20260301T120000+0000",
        "20260301T120000ZZ",
        "2026 301T120000Z",
        "²0260301T120000Z",
        "٢٠260301T120000Z",
        "9" * 5000,
    ],
)
def test_a_malformed_date_is_refused(date: str) -> None:
    reason = refusal(with_header(signed(False), "X-Sdk-Date", date.encode()))
    assert reason == "X-Sdk-Date is not a time of the form YYYYMMDDTHHMMSSZ"


@pytest.mark.parametrize("date", ["00010101T000000Z", "99991231T235959Z"])
def test_the_ends_of_time_are_only_too_far_off(date: str) -> None:
    request = with_header(signed(False), "X-Sdk-Date", date.encode())
    assert refusal(request) == "X-Sdk-Date is more than 15 minutes off"


# --- the body's declared hash, the security token, the way in


def test_a_declared_hash_of_the_body_must_be_the_real_one() -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    verify(signed(False, headers={"X-Sdk-Content-Sha256": digest}))
    for wrong in ("UNSIGNED-PAYLOAD", "0" * 64, digest.upper(), ""):
        reason = refusal(signed(False, headers={"X-Sdk-Content-Sha256": wrong}))
        assert reason == "X-Sdk-Content-Sha256 is not the SHA-256 of the body"


def test_a_declared_hash_without_a_body_says_nothing() -> None:
    verify(signed(False, body=b"", headers={"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}))


@ALGORITHMS
def test_the_security_token_of_a_temporary_key_is_handed_on(derived: bool) -> None:
    request = signed(derived, headers={"X-Security-Token": "a-token"})
    verify(request)
    assert read(request, NOW).security_token == "a-token"
    assert read(signed(derived), NOW).security_token is None
    refusal(with_header(request, "X-Security-Token", b"another"))


def test_a_security_token_is_one_ascii_text() -> None:
    assert "ASCII" in refusal(with_header(signed(False), "X-Security-Token", b"t\xff"))
    twice = ((b"X-Security-Token", b"t"), (b"x-security-token", b"t"))
    request = signed(False)
    assert "more than once" in refusal(replace(request, headers=request.headers + twice))


def test_nothing_that_proves_anything_is_shown() -> None:
    request = signed(True, headers={"X-Security-Token": "a-token"})
    shown = repr(read(request, NOW))
    assert shown == f"Signed(access_key='{AK}')"


@pytest.mark.parametrize(
    ("headers", "way"),
    [
        ((), "none"),
        (((b"X-Auth-Token", b"t"),), "token"),
        (((b"AUTHORIZATION", b"anything"),), "signature"),
        (((b"x-auth-token", b"t"), (b"authorization", b"SDK-HMAC-SHA256 A")), "signature"),
        (((b"x-auth-token", b"t"), (b"authorization", b"V11-HMAC-SHA256 C")), "signature"),
        (((b"x-auth-token", b"t"), (b"authorization", b"anything")), "token"),
    ],
)
def test_a_signature_goes_before_a_token(
    headers: tuple[tuple[bytes, bytes], ...], way: str
) -> None:
    assert scheme(RawRequest("GET", b"/", b"", headers, b"")) == way


# --- the official client, over a socket


class Recorder(BaseHTTPRequestHandler):
    """Keeps what arrives and answers what the client takes for success."""

    arrived: list[RawRequest]
    raw_requestline: bytes

    def answer(self) -> None:
        path, _, query = self.raw_requestline.split(b" ")[1].partition(b"?")
        headers = tuple(
            (k.encode("latin-1"), v.encode("latin-1")) for k, v in self.headers.raw_items()
        )
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.arrived.append(RawRequest(self.command, path, query, headers, body))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def recording() -> Iterator[tuple[str, list[RawRequest]]]:
    """A server on loopback: its address, and what has arrived there."""
    arrived: list[RawRequest] = []
    handler = type("Recording", (Recorder,), {"arrived": arrived})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", arrived
        server.shutdown()
        thread.join()


def client(endpoint: str, derived: bool, security_token: str | None) -> Any:
    credentials = BasicCredentials(AK, SK, "p1")
    if security_token:
        credentials = credentials.with_security_token(security_token)
    builder = SDK.IoTDAClient.new_builder()
    if not derived:
        return builder.with_credentials(credentials).with_endpoint(endpoint).build()
    predicate = BasicCredentials.get_default_derived_predicate()
    builder = builder.with_credentials(credentials.with_derived_predicate(predicate))
    return builder.with_region(REGIONS.Region(REGION, endpoint)).build()


def call_all(iotda: Any) -> None:
    body = SDK.AddExportTask(
        resource_type="BatchTask", resource_condition={"task_id": "5f43中"}, app_id="ü"
    )
    iotda.create_export_task(SDK.CreateExportTaskRequest(instance_id="i-1", body=body))
    iotda.list_export_tasks(
        SDK.ListExportTasksRequest(
            limit=10,
            offset=0,
            marker="f" * 24,
            app_type="APP",
            app_id="a b/c~中+%&=",
            resource_condition='{"task_id": "5f43"}',
        )
    )
    iotda.show_export_task(SDK.ShowExportTaskRequest(export_task_id="a/b %+中"))
    iotda.delete_export_task(
        SDK.DeleteExportTaskRequest(export_task_id="0" * 24, instance_id="i-1")
    )


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
@pytest.mark.parametrize("security_token", [None, "a-token"])
@ALGORITHMS
def test_the_official_client_signs_the_four_calls_so_that_they_verify(
    derived: bool, security_token: str | None
) -> None:
    with recording() as (endpoint, arrived):
        call_all(client(endpoint, derived, security_token))
    assert [request.method for request in arrived] == ["POST", "GET", "GET", "DELETE"]
    algorithm = b"V11-HMAC-SHA256 " if derived else b"SDK-HMAC-SHA256 "
    for request in arrived:
        assert header(request, "Authorization").startswith(algorithm)
        assert scheme(request) == "signature"
        assert read(request, datetime.now(UTC)).security_token == security_token
        verify(request, now=datetime.now(UTC))
        refusal(replace(request, path=request.path + b"x"), now=datetime.now(UTC))
        refusal(request, "another", datetime.now(UTC))
