"""Encrypted connections."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from routeward import errors
from routeward.testing import FakeRouter


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate of 127.0.0.1: what the server holds, and the file that clients trust."""

    server: grpc.ServerCredentials
    file: Path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    file = tmp_path_factory.mktemp("tls") / "roots.pem"
    file.write_bytes(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificate(grpc.ssl_server_credentials([(private, pem)]), file)


def test_a_server_is_trusted_by_its_certificate(make_client, certificate):
    with FakeRouter("small", credentials=certificate.server, api_key="open-sesame") as router:
        client = make_client(router.target, api_key="open-sesame", root_certificates=certificate.file)
        assert client.route("code").model == "small"


def test_a_server_that_the_system_does_not_know_is_not_trusted(make_client, certificate):
    with FakeRouter("small", credentials=certificate.server) as router:
        client = make_client(router.target, insecure=False, route_timeout=0.3)
        with pytest.raises((errors.UnavailableError, errors.DeadlineExceededError)):
            client.route("code")
    assert router.attempts == 0


def test_an_encrypted_server_does_not_talk_in_the_clear(make_client, certificate):
    with FakeRouter("small", credentials=certificate.server) as router:
        client = make_client(router.target, insecure=True, route_timeout=0.3)
        with pytest.raises((errors.UnavailableError, errors.DeadlineExceededError)):
            client.route("code")
    assert router.attempts == 0
