"""Nothing is sent where nothing may be sent: not by a name, not by an address, not by a redirect, not by a proxy."""

import socket
import sys
from contextlib import AsyncExitStack
from importlib import reload

import pytest

from adapters.providers import aiohttp_transport
from adapters.providers.aiohttp_transport import AiohttpTransport
from adapters.providers.chat import Timeouts
from adapters.providers.errors import MissingExtraError, ProviderError, UnreachableError
from adapters.providers.transport import HttpRequest
from tests.integration.providers.conftest import KEY

FORBIDDEN = (
    "http://127.0.0.1:{port}/plain_answer",
    "https://127.0.0.1:{port}/plain_answer",
    "http://localhost:{port}/plain_answer",
    "https://localhost:{port}/plain_answer",
    "https://localhost.:{port}/plain_answer",
    "https://[::1]:{port}/plain_answer",
    "https://[::ffff:127.0.0.1]:{port}/plain_answer",
    "https://[::ffff:7f00:1]:{port}/plain_answer",
    "https://0.0.0.0:{port}/plain_answer",
    "https://0x7f000001:{port}/plain_answer",
    "https://2130706433:{port}/plain_answer",
    "https://0177.0.0.1:{port}/plain_answer",
    "https://127.1:{port}/plain_answer",
    "https://api.openai.com@127.0.0.1:{port}/plain_answer",
    "https://api.openai.com\\@127.0.0.1:{port}/plain_answer",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1:{port}/plain_answer",
    "ftp://127.0.0.1:{port}/plain_answer",
    "unix:///plain_answer",
)


async def sent(transport: AiohttpTransport, url: str) -> int:
    """Return the status of what is answered."""
    async with transport.send(HttpRequest(url, {"Authorization": KEY}, b"{}"), Timeouts()) as response:
        return response.status


def resolved(*addresses: str):
    """Return a stand-in for the system's look-up of names, which counts how often it is asked."""
    asked: list[str] = []

    def look_up(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return look_up, asked


@pytest.fixture
async def reaching():
    """Return what makes a transport that knows these private hosts."""
    async with AsyncExitStack() as opened:

        def make(*hosts: str) -> AiohttpTransport:
            transport = AiohttpTransport(frozenset(hosts))
            opened.push_async_callback(transport.close)
            return transport

        yield make


@pytest.fixture
def stranger(reaching):
    return reaching()


@pytest.mark.parametrize("url", FORBIDDEN)
async def test_what_is_not_public_is_not_reached(url, stranger, server) -> None:
    with pytest.raises(UnreachableError) as raised:
        await sent(stranger, url.format(port=server.port))
    assert KEY not in str(raised.value)
    assert server.connections == 0


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"]])
async def test_a_name_that_leads_inside_is_refused_even_where_it_also_leads_outside(
    addresses, stranger, server, monkeypatch
) -> None:
    look_up, _ = resolved(*addresses)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(UnreachableError, match=r"add 'rebound.example' to gateway.private_hosts"):
        await sent(stranger, f"https://rebound.example:{server.port}/plain_answer")
    assert server.connections == 0


async def test_the_connection_goes_to_the_address_that_was_checked(reaching, server, monkeypatch) -> None:
    look_up, asked = resolved("127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    transport = reaching("gpu.lan")
    assert await sent(transport, f"http://gpu.lan:{server.port}/plain_answer") == 200
    assert asked == ["gpu.lan"]


async def test_a_listed_host_is_not_another_one_of_the_same_address(reaching, server) -> None:
    transport = reaching("localhost")
    assert await sent(transport, f"http://localhost:{server.port}/plain_answer") == 200
    with pytest.raises(UnreachableError):
        await sent(transport, f"http://127.0.0.1:{server.port}/plain_answer")


@pytest.mark.parametrize("name", ["redirect_301", "redirect_302", "redirect_307", "redirect_308"])
async def test_a_redirect_arrives_as_it_is(name, transport, server) -> None:
    assert await sent(transport, server.url(name)) == int(name[-3:])
    assert server.requests["redirected"] == 0


async def test_nothing_is_taken_from_the_environment(transport, server, monkeypatch, tmp_path) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, server.url("proxied"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert await sent(transport, server.url("plain_answer")) == 200
    assert server.requests == {"plain_answer": 1}
    assert b"Basic" not in server.request


async def test_cookies_are_not_kept(reaching, server) -> None:
    transport = reaching("localhost")
    for _ in range(2):
        assert await sent(transport, f"http://localhost:{server.port}/cookies") == 200
    assert b"session=1" not in server.request


async def test_a_header_that_would_add_another_is_not_sent(transport, server) -> None:
    request = HttpRequest(server.url("plain_answer"), {"Authorization": f"{KEY}\r\nX-Other: 1"}, b"{}")
    with pytest.raises(UnreachableError, match="forbidden character") as raised:
        await transport.send(request, Timeouts()).__aenter__()
    assert KEY not in repr(raised.value)
    assert server.requests == {}


async def test_a_name_that_nobody_knows_is_said_so(stranger) -> None:
    with pytest.raises(UnreachableError, match=r"name nowhere\.invalid is not found"):
        await sent(stranger, "https://nowhere.invalid/")


async def test_a_closed_transport_sends_nothing_and_can_be_closed_again(reaching, server) -> None:
    transport = reaching("127.0.0.1")
    await sent(transport, server.url("plain_answer"))
    for _ in range(2):
        await transport.close()
    with pytest.raises(ProviderError, match="closed"):
        await sent(transport, server.url("plain_answer"))
    assert server.connections == 1


def test_a_request_does_not_show_what_is_secret() -> None:
    assert KEY not in repr(HttpRequest("https://api.example", {"Authorization": KEY}, KEY.encode()))


def test_without_aiohttp_it_is_said_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'routeward\[gateway\]'"):
        reload(aiohttp_transport)
