"""Tokens: issued for a password, good for 24 hours, and the bodies of the call that gives them."""

from __future__ import annotations

import socket
from base64 import urlsafe_b64encode
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from hmac import digest

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey
from msgspec import json, to_builtins

from api.access.login import Login, describe, read_login
from api.access.sealing import derive
from api.access.signatures import NotAuthentic
from api.access.tokens import (
    TOKEN_LIMIT,
    TOKEN_LIVES,
    TokenClaims,
    TokenExpired,
    Tokens,
)
from api.reading import Unreadable
from domain.refusals import Invalid
from projections.rows import ProjectRow
from tests.facts import NOON
from tests.household import SECRET_KEY
from tests.web_service import served

ANN = "a" * 32
TOKENS = Tokens(SECRET_KEY, "default")
TOKEN = TOKENS.issue(ANN, "p1", 4, NOON)
CLAIMS = TokenClaims(ANN, "p1", 4, "default", 1795521600, 1795608000)


@pytest.fixture
def service(any_service):
    return any_service


def wrong(token, now=NOON, tokens=TOKENS):
    with pytest.raises(NotAuthentic) as refused:
        tokens.read(token, now)
    assert type(refused.value) is NotAuthentic
    assert len(refused.value.reason) < 100
    return refused.value.reason


def forged(header=None, key=None, **changes):
    """A token as somebody else might make it."""
    claims = {"sub": ANN, "project_id": "p1", "pwv": 4, "iss": "default"}
    claims |= {"iat": 1795521600, "exp": 1795608000}
    claims = {k: v for k, v in {**claims, **changes}.items() if v is not None}
    key = OctKey.import_key(key or derive(SECRET_KEY, "tokens"))
    header = header or {"alg": "HS256"}
    return jwt.encode(header, claims, key, [header["alg"]])


def encoded(text):
    return urlsafe_b64encode(text).decode().rstrip("=")


def test_a_token_says_who_where_and_since_which_password():
    assert TOKENS.read(TOKEN.text, NOON) == CLAIMS
    assert TOKEN.issued_at == NOON
    assert TOKEN.expires_at == NOON + TOKEN_LIVES
    assert TOKEN.text not in repr(TOKEN)
    assert TOKEN.text.isascii()


def test_every_process_of_the_installation_reads_it():
    assert Tokens(SECRET_KEY, "default").read(TOKEN.text, NOON) == CLAIMS


def test_a_token_is_good_for_24_hours_and_not_a_second_more():
    last = NOON + TOKEN_LIVES - timedelta.resolution
    assert TOKENS.read(TOKEN.text, last) == CLAIMS
    with pytest.raises(TokenExpired, match="the token expired at 2026-11-25T12:00:00") as refused:
        TOKENS.read(TOKEN.text, NOON + TOKEN_LIVES)
    assert refused.value.expired_at == NOON + TOKEN_LIVES


def test_a_clock_a_little_behind_the_issuers_does_not_matter():
    assert TOKENS.read(TOKEN.text, NOON - timedelta(seconds=5)) == CLAIMS


def test_a_forgery_with_the_right_key_would_be_taken():
    assert TOKENS.read(forged(), NOON) == CLAIMS


@pytest.mark.parametrize(
    "token",
    [
        forged(key=b"another key of the same length!!"),
        forged(key=SECRET_KEY),
        forged(key=derive(SECRET_KEY, "vault")),
        forged(header={"alg": "HS512"}),
        forged(sub=None),
        forged(sub=7),
        forged(project_id=None),
        forged(pwv="4"),
        forged(exp=None),
        forged(exp="never"),
        forged(iss=None),
        ".".join((encoded(b'{"alg":"none"}'), TOKEN.text.split(".")[1], "")),
        ".".join([encoded(b"null")] * 3),
        ".".join([encoded(b"[]")] * 3),
        "",
        "token",
        "a.b.c",
        "é.é.é",
        "....",
        encoded(b'{"alg":"HS256","crit":1}') + ".e30.AAAA",
    ],
)
def test_what_was_not_issued_here_is_not_taken(token):
    assert wrong(token) == "the token was not issued here"


def test_another_installations_token_is_not_taken():
    wrong(TOKEN.text, tokens=Tokens(b"another secret key, as long......", "default"))
    assert wrong(forged(iss="another")) == "the token is of another domain"


@pytest.mark.parametrize("position", range(0, len(TOKEN.text), 7))
def test_a_token_cut_or_altered_is_not_taken(position):
    letter = "A" if TOKEN.text[position] != "A" else "B"
    wrong(TOKEN.text[:position])
    wrong(TOKEN.text[:position] + letter + TOKEN.text[position + 1 :])


def test_a_token_of_the_longest_length_is_read_and_a_longer_one_is_not():
    assert wrong("x" * TOKEN_LIMIT) == "the token was not issued here"
    assert wrong("x" * (TOKEN_LIMIT + 1)) == "the token is longer than 2048 characters"


def test_the_longest_token_that_is_issued_is_read():
    tokens = Tokens(SECRET_KEY, "ä" * 64)
    token = tokens.issue(ANN, "p" * 64, 2**31, NOON).text
    assert tokens.read(token, NOON).project_id == "p" * 64


@given(st.text())
def test_no_text_makes_reading_fail(text):
    wrong(text)


LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANYTHING = st.recursive(LEAF, lambda each: st.lists(each) | st.dictionaries(st.text(), each))
ISSUED = to_builtins(CLAIMS)


def changed(whole, *names):
    """JSON like this, with some of its members, and of these, as they should not be."""
    members = st.dictionaries(st.sampled_from([*whole, *names]), ANYTHING, min_size=1)
    made = members.map(lambda some: {**whole, **some}) | ANYTHING
    return made.map(json.encode) | st.binary()


@given(
    changed({"alg": "HS256"}, "crit", "b64", "typ", "cty", "kid", "jku", "jwk", "x5c", "zip"),
    changed(ISSUED),
    st.none() | st.binary(),
)
@example(b'{"alg":"HS256","crit":1}', b"{}", b"\0\0\0")
@example(b'{"alg":"HS256","crit":[{}]}', b"{}", None)
@example(b'{"alg":"HS256"}', json.encode({**ISSUED, "exp": -(2**60)}), None)
def test_whatever_a_token_holds_signed_or_not_it_is_read_or_refused(header, claims, signature):
    text = f"{encoded(header)}.{encoded(claims)}"
    if signature is None:
        signature = digest(derive(SECRET_KEY, "tokens"), text.encode(), "sha256")
    with suppress(NotAuthentic):
        assert isinstance(TOKENS.read(f"{text}.{encoded(signature)}", NOON), TokenClaims)


# The body of a login


def body(**changes):
    """A login as the cloud's documents write it; `changes` by path, None: left out."""
    user = {"name": "ann", "password": "correct horse", "domain": {"name": "default"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    login = {"auth": {"identity": identity, "scope": {"project": {"id": "p1"}}}}
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = login
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return json.encode(login)


LOGIN = Login("ann", "correct horse", "default", "p1", None)


def test_a_login_is_read():
    assert read_login(body()) == LOGIN
    assert "correct horse" not in repr(LOGIN)


def test_a_project_is_named_by_id_by_name_or_by_both():
    by_name = body(auth__scope__project={"name": "cn-north-4"})
    assert read_login(by_name) == replace(LOGIN, project_id=None, project_name="cn-north-4")
    by_both = body(auth__scope__project={"id": "p1", "name": "cn-north-4"})
    assert read_login(by_both) == replace(LOGIN, project_name="cn-north-4")


def test_fields_that_are_not_known_are_passed_over():
    known = body(auth__more=1, auth__identity__totp={"user": {}}, auth__scope__domain={})
    assert read_login(known) == LOGIN


USER = "auth__identity__password__user"


@pytest.mark.parametrize(
    "path",
    [
        "auth",
        "auth__identity",
        "auth__identity__methods",
        "auth__identity__password",
        USER,
        f"{USER}__name",
        f"{USER}__password",
        f"{USER}__domain",
        f"{USER}__domain__name",
        "auth__scope",
        "auth__scope__project",
    ],
)
def test_every_field_is_required_and_has_its_type(path):
    field = path.replace("__", ".")
    with pytest.raises(Invalid) as refused:
        read_login(body(**{path: None}))
    assert refused.value.field == field
    assert str(refused.value) == f"Invalid input. '{field}' is missing."
    with pytest.raises(Invalid) as refused:
        read_login(body(**{path: 7}))
    assert refused.value.field == field
    assert str(refused.value).startswith(f"Invalid input. '{field}' is wrong: expected ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auth__identity__methods": []}, r"'auth.identity.methods' must be \['password'\]"),
        ({"auth__identity__methods": ["token"]}, r"'auth.identity.methods' must be \["),
        ({"auth__identity__methods": ["password", "totp"]}, r"'auth.identity.methods' must be"),
        ({"auth__identity__methods": [7]}, r"'auth.identity.methods\[0\]' is wrong"),
        ({"auth__scope__project": {}}, "'auth.scope.project' must have an 'id' or a 'name'"),
        ({"auth__scope__project": {"id": 7}}, "'auth.scope.project.id' is wrong"),
    ],
)
def test_a_login_that_asks_for_something_else_is_told_so(changes, message):
    with pytest.raises(Invalid, match=message):
        read_login(body(**changes))


@pytest.mark.parametrize("text", [b"[]", b"7", b"null", b'""'])
def test_a_body_that_is_no_object_is_told_so(text):
    with pytest.raises(Invalid, match="'body' must be a JSON object"):
        read_login(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"auth",
        b"\xff",
        body().replace(b"correct", b"\xff"),
        body().replace(b"correct", b"\xed\xa0\x80"),
        b'{"x":' + b"[" * 10_000,
        b'{"x":' * 10_000,
        body() + b"}",
    ],
)
def test_a_body_that_is_not_json_is_told_so(text):
    with pytest.raises(Unreadable, match=r"The body is not readable as JSON\."):
        read_login(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (body().replace(b"correct", b"\\ud800"), "'auth' holds half of a surrogate pair"),
        (
            body().replace(b'{"methods"', b'{"methods": [], "methods"'),
            "'auth.identity.methods' is given twice",
        ),
    ],
)
def test_a_login_that_could_be_read_in_two_ways_is_told_so(text, message):
    with pytest.raises(Invalid, match=message):
        read_login(text)


def test_a_body_that_comes_with_an_upgrade_is_told_how_to_send_it(service):
    body = b'{"auth": {}}'
    head = b"POST /v3/auth/tokens HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n" % len(body)
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
    with served(service.settings) as endpoint:
        port = int(endpoint.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(head + upgrade + body)
            told = b""
            while b"}" not in told:
                told += client.recv(4096)
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"must not ask for an Upgrade" in told


@given(st.binary())
def test_no_bytes_make_reading_a_login_fail(text):
    with pytest.raises((Unreadable, Invalid)):
        read_login(text)


# The answer


def test_the_answer_is_shaped_as_the_clouds():
    project = ProjectRow("p1", "cn-north-4", "0", None)
    here = "https://exports.example"
    assert to_builtins(describe(TOKEN, ANN, "Ann", "default", project, ["admin"], here)) == {
        "token": {
            "methods": ["password"],
            "issued_at": "2026-11-24T12:00:00.000000Z",
            "expires_at": "2026-11-25T12:00:00.000000Z",
            "user": {
                "id": ANN,
                "name": "Ann",
                "domain": {"id": "default", "name": "default"},
            },
            "project": {
                "id": "p1",
                "name": "cn-north-4",
                "domain": {"id": "default", "name": "default"},
            },
            "roles": [{"id": "admin", "name": "admin"}],
            "catalog": [
                {
                    "id": "iotda",
                    "name": "iotda",
                    "type": "iotda",
                    "endpoints": [
                        {
                            "id": "p1",
                            "interface": "public",
                            "region": "cn-north-4",
                            "region_id": "cn-north-4",
                            "url": "https://exports.example/v5/iot/p1",
                        }
                    ],
                }
            ],
        }
    }
