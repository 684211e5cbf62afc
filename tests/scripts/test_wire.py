"""What stands between others and the service: TLS, proxies that are believed or not, file modes."""

import json
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from api.parts import Parts
from api.settings import Settings
from scripts.connections import CONNECTIONS_OF_ONE
from scripts.group import command_line
from tests.client import client_of
from tests.invoked import invoke, told
from tests.service import Home, eventually
from tests.web_service import login

PASSWORD = "correct horse battery"


def certified(folder, name, secret=None):
    """A certificate for this machine that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    sealing = (
        serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption()
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(pem))
    files[1].write_bytes(key.private_bytes(pem, pkcs8, sealing))
    return files


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    yield home
    home.close()


def test_with_a_certificate_tls_is_spoken_and_nothing_else(home, tmp_path):
    certificate, key = certified(tmp_path, "this")
    service = home.serve("--tls-cert", str(certificate), "--tls-key", str(key))
    assert service.endpoint.startswith("https://127.0.0.1:")
    trusting = ssl.create_default_context(cafile=certificate)
    with urllib.request.urlopen(f"{service.endpoint}/livez", context=trusting) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{service.endpoint}/livez")
    with pytest.raises(OSError, match=r"."):
        urllib.request.urlopen(service.endpoint.replace("https", "http") + "/livez")
    assert service.stop() == 0


def test_an_address_has_so_many_connections_before_it_has_said_a_word_of_tls(home, tmp_path):
    certificate, key = certified(tmp_path, "this")
    service = home.serve("--tls-cert", str(certificate), "--tls-key", str(key))
    port = int(service.endpoint.rpartition(":")[2])
    others = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS_OF_ONE)]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as one_too_many:
        assert one_too_many.recv(1) == b""
    trusting = ssl.create_default_context(cafile=certificate)
    with (
        socket.create_connection(("127.0.0.1", port), 60, ("127.0.0.2", 0)) as client,
        trusting.wrap_socket(client, server_hostname="127.0.0.1") as spoken,
    ):
        spoken.sendall(b"GET /livez HTTP/1.1\r\nHost: here\r\n\r\n")
        assert spoken.recv(12) == b"HTTP/1.1 200"
    for each in others:
        each.close()

    def is_answered() -> bool:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"{service.endpoint}/livez", context=trusting),
        ):
            return True
        return False

    eventually(is_answered)  # the service has to notice first that they are gone
    assert service.stop() == 0


def test_the_client_trusts_whom_the_environment_names_and_nobody_else(home, tmp_path):
    certificate, key = certified(tmp_path, "this")
    service = home.serve("--tls-cert", str(certificate), "--tls-key", str(key))
    user = client_of(home, service.endpoint)
    assert told(user | {"SSL_CERT_FILE": str(certificate)}, "quota")["limits"]["kept"] == 50
    assert "CERTIFICATE_VERIFY_FAILED" in invoke(user, "quota", exit_code=4).stderr
    assert service.stop() == 0


def test_a_certificate_that_cannot_be_used_is_named_before_anything_listens(home, tmp_path):
    (certificate, _), (_, other) = certified(tmp_path, "this"), certified(tmp_path, "other")
    _, locked = certified(tmp_path, "locked", b"secret")
    flags = ("serve", "--port", "0", "--tls-cert", str(certificate))
    wrong = {
        flags: "go together",
        (*flags, "--tls-key", str(tmp_path / "none")): "No such file",
        (*flags, "--tls-key", str(certificate)): "EXPORT_TASKS_TLS_KEY",
        (*flags, "--tls-key", str(other)): "KEY_VALUES_MISMATCH",
        (*flags, "--tls-key", str(locked)): "EXPORT_TASKS_TLS_KEY",
    }
    for arguments, words in wrong.items():
        assert words in home.refused(*arguments)


@pytest.mark.parametrize(("proxies", "believed"), [("127.0.0.0/8", True), ("10.0.0.1", False)])
def test_an_address_is_taken_from_a_proxy_that_is_believed_alone(home, proxies, believed):
    home.run("user", "password", "admin", "--password-stdin", given=PASSWORD)
    service = home.serve("--forwarded-allow-ips", proxies)
    document = login("admin", PASSWORD, id=home.project)
    with _post(f"{service.endpoint}/v3/auth/tokens", document) as answer:
        token = answer.headers["x-subject-token"]
    task = {"resource_type": "BatchTask", "resource_condition": {"task_id": home.batch(1)}}
    path = f"/v5/iot/{home.project}/export-tasks"
    headers = {"X-Auth-Token": token, "X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
    with _post(service.endpoint + path, task, **headers) as answer:
        task_id = json.load(answer)["export_task_id"]
    assert service.stop() == 0
    with Parts(Settings.read(home.environment)) as parts:
        created = parts.ledger.history(task_id)[0]
        address = parts.people.vault.unseal_address(created.by, created.address)
    assert address == ("192.0.2.7" if believed else "127.0.0.1")


def test_a_key_that_is_revoked_opens_no_door_of_four_from_the_next_request_on(home):
    service = home.serve("--workers", "4")
    user = ("--project", home.project, "--admin", "--json")
    ada = json.loads(home.run("user", "add", "ada", *user))
    policy = ("user", "policy", "set", "ada", "-", "--project", home.project)
    nothing = '{"Version": "1.1", "Statement": []}'
    steps = (
        (lambda: None, 200),
        (lambda: home.run(*policy, given=nothing), 403),
        (lambda: home.run("user", "grant", "ada", *user[:3]), 200),
        (lambda: home.run("key", "revoke", ada["access_key"]), 401),
    )
    for step, status in steps:
        step()
        answers = {_listed(service.endpoint, home.project, ada) for _ in range(24)}
        assert answers == {status}


def test_what_was_refused_is_listed_and_is_summed_up_in_the_event_log(home):
    endpoint = home.serve("--workers", "2").endpoint
    made = home.run("user", "add", "ada", "--project", home.project, "--admin", "--json")
    ada, admin = json.loads(made), home.begun
    wrong = [_listed(endpoint, home.project, ada | {"secret_key": "s" * 40}) for _ in range(3)]
    strange = admin | {"access_key": "STRANGE", "secret_key": "s" * 40}
    assert [*wrong, _listed(endpoint, home.project, strange)] == [401] * 4
    assert _listed(endpoint, "elsewhere", admin) == 403
    found = json.loads(home.run("refusal", "list", "--json"))
    assert [(each["user"], each["error_code"]) for each in found] == [
        ("admin", "IOTDA.000021"), (None, "APIGW.0301"), *[("ada", "APIGW.0301")] * 3,
    ]  # fmt: skip
    assert {each["address"] for each in found} == {"127.0.0.1"}
    of_ada = json.loads(home.run("refusal", "list", "--user", "ada", "--limit", "2", "--json"))
    assert [each["access_key"] for each in of_ada] == [ada["access_key"]] * 2
    wanted = {
        (ada["user_id"], ada["access_key"], "APIGW.0301", "keeper"): 3,
        (admin["user_id"], admin["access_key"], "IOTDA.000021", "keeper"): 1,
    }
    # The first count may end between two of them; the next one is told a minute later.
    eventually(lambda: _counted(home) == wanted, 120)


def _counted(home):
    """How often whom what was refused, as the event log sums it up."""
    found = Counter()
    for event in map(json.loads, home.run("event", "list", "--json").splitlines()):
        if event["event"] == "refused.counted":
            whose = (event["user_id"], event["access_key"])
            found.update({(*whose, k, event["by"]): n for k, n in event["refusals"].items()})
    return found


def _listed(endpoint, project, key):
    """The status of a signed list, over a connection of its own."""
    request = SdkRequest(
        method="GET",
        host=endpoint.removeprefix("http://"),
        resource_path=f"/v5/iot/{project}/export-tasks",
        header_params={"X-Sdk-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")},
        query_params=[],
        body="",
    )
    Signer(BasicCredentials(key["access_key"], key["secret_key"], project)).sign(request)
    url = endpoint + request.resource_path
    asked = urllib.request.Request(url, headers=request.header_params)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def test_nobody_else_can_read_what_is_kept_wherever_it_is_kept(tmp_path):
    env = {**os.environ, "EXPORT_TASKS_HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir(mode=0o755)
    made = ["init", "--project", "p1"], ["batch", "generate", "--project", "p1", "--rows", "1"]
    for arguments in (*made, ["rebuild"], ["backup", str(tmp_path / "copy")]):
        subprocess.run(command_line(*arguments), env=env, umask=0, check=True, capture_output=True)
    found = [*(tmp_path / "home").rglob("*"), *(tmp_path / "copy").rglob("*")]
    assert len(found) > 8
    assert [each for each in found if each.stat().st_mode & 0o077] == []


def _post(url, document, **headers):
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json", **headers}
    return urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30)
