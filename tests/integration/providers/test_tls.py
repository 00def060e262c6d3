"""Who a provider is, its certificate has to prove."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.providers.aiohttp_transport import AiohttpTransport
from adapters.providers.chat import Timeouts
from adapters.providers.errors import UnreachableError
from adapters.providers.transport import HttpRequest

HELLO = b"a request with its key"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*plain) + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None, received: list[bytes]) -> AsyncIterator[int]:
    """Say something at once, as no TLS server does, and keep what comes within TLS."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        received.append(await reader.read(100))
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def refused(port: int) -> str:
    transport = AiohttpTransport(frozenset({"localhost"}))
    with pytest.raises(UnreachableError) as raised:
        await transport.send(HttpRequest(f"https://localhost:{port}/", {}, HELLO), Timeouts()).__aenter__()
    await transport.close()
    return str(raised.value)


async def test_nothing_is_sent_to_a_server_that_nobody_vouches_for(stranger) -> None:
    received: list[bytes] = []
    async with listening(stranger, received) as port:
        assert await refused(port) == "the certificate of localhost is not accepted"
    assert received == []


async def test_nothing_is_sent_to_a_server_that_speaks_no_tls() -> None:
    received: list[bytes] = []
    async with listening(None, received) as port:
        assert await refused(port) == f"localhost:{port} does not speak TLS as it should"
    assert HELLO not in b"".join(received)
