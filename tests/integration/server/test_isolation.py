"""Who may do what: keys, tenants, transport, and what a client learns of defects."""

import datetime
import ipaddress
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.memory import MemoryStore
from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb
from server.listening import StartError
from server.settings import TlsFiles

UP = pb.Signal(thumb=pb.THUMB_UP)
LEAK = "sk-very-secret"


async def posterior(client):
    response = await client.call(client.admin.GetPosterior, admin_pb.GetPosteriorRequest())
    response.ClearField("computed_time")
    return response.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    "method",
    ["RoutingService/Route", "RoutingService/Feedback", "AdminService/GetPosterior", "AdminService/ExplainDecision"],
)
async def test_without_a_key_nothing_is_answered(serve, two_tenants, method):
    async with serve(two_tenants) as running:
        failure = await running.client().raw(method, b"")
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


async def test_a_key_with_a_wrong_secret_is_refused_like_an_unknown_one(serve, two_tenants):
    async with serve(two_tenants) as running:
        client = running.client()
        texts = set()
        for sent in ("Bearer acme.guess", "Bearer nobody.guess", "acme", ""):
            client.metadata = (("authorization", sent),)
            failure = await client.route()
            assert failure.code is grpc.StatusCode.UNAUTHENTICATED
            texts.add(failure.text)
    assert len(texts) == 1


async def test_the_decision_of_another_tenant_is_refused_and_nothing_is_recorded(serve, two_tenants):
    async with serve(two_tenants) as running:
        acme, globex = running.client("acme"), running.client("globex")
        decision = await acme.route()
        failure = await globex.feedback(decision.decision_id, UP)
        assert (failure.code, failure.reason) == (grpc.StatusCode.PERMISSION_DENIED, "FOREIGN_DECISION")
        previous = await globex.route(previous_decision_id=decision.decision_id)
        assert previous.violations == ["previous_decision_id"]
        assert [record async for record in running.store.signals()] == []


async def test_traffic_of_one_tenant_leaves_every_byte_that_another_sees_as_it_was(serve, two_tenants):
    async with serve(two_tenants) as running:
        acme, globex = running.client("acme"), running.client("globex")
        decision = await acme.route()
        await acme.feedback(decision.decision_id, UP)
        await running.publish("acme")
        before = await posterior(acme)
        for number in range(40):
            decision = await globex.route(category=f"category-{number % 5}")
            await globex.feedback(decision.decision_id, UP)
        for tenant in ("acme", "globex"):
            await running.publish(tenant)
        assert await posterior(acme) == before
        assert b"category-1" in await posterior(globex)


async def test_a_defect_reaches_the_log_and_of_it_only_the_incident_reaches_the_client(serve, settings):
    class Broken:
        def random(self):
            raise RuntimeError(f"password={LEAK}")

    async with serve(settings, rng=Broken()) as running:
        failure = await running.client().route()
        assert (failure.code, failure.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert failure.metadata == {"incident_id": "incident-1"}
        assert "incident-1" in failure.text
        for leak in (LEAK, "RuntimeError", "Traceback", "routing.py"):
            assert leak not in failure.text + failure.everything
        (event,) = [event for event in running.events if event["event"] == "defect"]
        assert LEAK in event["exception"]


async def test_a_defect_of_the_store_reaches_nobody_and_feedback_recovers(serve, settings, monkeypatch):
    monkeypatch.setattr("server.supervision.RESTART_AFTER_S", 0.0)

    class BrokenOnce(MemoryStore):
        broken = True

        async def write(self, records):
            if self.broken:
                self.broken = False
                raise RuntimeError(f"password={LEAK}")
            return await super().write(records)

    async with serve(settings, store=BrokenOnce(bucket_us=10_000_000)) as running:
        client = running.client()
        decision = await client.route()
        failure = await client.feedback(decision.decision_id, UP)
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        assert LEAK not in failure.text + failure.everything
        assert (await client.feedback(decision.decision_id, UP)).revision == 1


@pytest.fixture
def certificate(tmp_path: Path) -> TlsFiles:
    """A certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "routeward test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


async def test_with_a_certificate_only_tls_is_spoken(serve, settings, certificate):
    secure = replace(settings, server=replace(settings.server, tls=certificate))
    async with serve(secure) as running:
        plain = running.client()
        credentials = grpc.ssl_channel_credentials(certificate.certificate.read_bytes())
        running.channels.append(grpc.aio.secure_channel(running.addresses.grpc, credentials))
        trusting = type(plain)(running.channels[-1])
        assert (await trusting.route()).model
        assert (await plain.route()).code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("damage", ["missing", "not PEM"])
async def test_a_certificate_that_cannot_be_used_stops_the_start(serve, settings, certificate, damage):
    if damage == "missing":
        certificate.key.unlink()
    else:
        certificate.key.write_text("no key")
    secure = replace(settings, server=replace(settings.server, tls=certificate))
    with pytest.raises(StartError, match="cannot speak TLS"):
        async with serve(secure):
            pass


async def test_a_second_server_on_the_same_port_is_refused(serve, settings):
    async with serve(settings) as running:
        address = running.addresses.grpc
        taken = replace(settings, server=replace(settings.server, listen=address))
        with pytest.raises(StartError, match=f"cannot listen on {address}"):
            async with serve(taken, store=MemoryStore(bucket_us=10_000_000)):
                pass


async def test_a_second_server_on_the_same_metrics_port_is_refused(serve, settings):
    async with serve(settings) as running:
        taken = replace(settings, server=replace(settings.server, metrics_listen=running.addresses.metrics))
        with pytest.raises(StartError, match=r"server\.metrics"):
            async with serve(taken, store=MemoryStore(bucket_us=10_000_000)):
                pass
