"""The instruments that measure the gateway: they notice what they are there to notice."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest

from benchmarks import relays
from benchmarks.__main__ import figures, names
from benchmarks._gateway import outage, overhead, relay, streams
from benchmarks._gateway.cancellation import until
from benchmarks._gateway.http import Arrival, Connection, LostError, Reply, chat_request, nonce
from benchmarks._gateway.load import Call, Callers, Load
from benchmarks._gateway.processes import Upstream, upstream
from benchmarks._gateway.relay import Answered
from benchmarks._gateway.upstream import Order

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name: Value\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


async def ask(address: str, number: int) -> Reply:
    connection = await Connection.open(address)
    reply = await connection.ask(chat_request(address, number))
    await connection.leave()
    return reply


@pytest.mark.parametrize("response", [ANSWER, CHUNKED])
async def test_a_response_is_read_however_it_is_split(response: bytes) -> None:
    for split in range(len(response)):
        connection = Connection()
        connection.done = done = asyncio.get_running_loop().create_future()
        connection.data_received(response[:split])
        assert not done.done()
        connection.data_received(response[split:])
        assert (await done)[::2] == (200, b"hello")


async def test_an_answer_carries_the_nonce_of_its_own_request(provider: Upstream) -> None:
    provider.obey(Order())
    replies = await asyncio.gather(*(ask(provider.address, number) for number in range(20)))
    assert all(nonce(number) in reply.body for number, reply in enumerate(replies))
    assert provider.seen().answered == 20


@pytest.mark.parametrize(("mode", "status"), [("fault", 500), ("limited", 429)])
async def test_a_provider_fails_as_it_is_told_to(provider: Upstream, mode: str, status: int) -> None:
    provider.obey(Order(mode=mode, retry_after_s=7))
    reply = await ask(provider.address, 1)
    assert reply.status == status
    assert reply.header("retry-after") == ("7" if mode == "limited" else "")


async def test_a_provider_that_refuses_connections_cuts_those_it_has_and_comes_back(provider: Upstream) -> None:
    provider.obey(Order(mode="stall"))
    connection = await Connection.open(provider.address)
    waiting = connection.ask(chat_request(provider.address, 1))
    assert await until(lambda: provider.seen().waiting == 1)
    provider.obey(Order(mode="refuse"))
    with pytest.raises(LostError):
        await waiting
    with pytest.raises(ConnectionRefusedError):
        await Connection.open(provider.address)
    provider.obey(Order())
    assert (await ask(provider.address, 2)).status == 200


async def test_those_who_leave_before_their_answer_are_counted(provider: Upstream) -> None:
    provider.obey(Order(mode="stall"))
    connection = await Connection.open(provider.address)
    answer = connection.ask(chat_request(provider.address, 1))
    assert await until(lambda: provider.seen().waiting == 1)
    await connection.leave()
    with suppress(LostError):
        await answer
    assert await until(lambda: provider.seen().waiting == 0)
    assert provider.seen().abandoned == 1


async def test_callers_tell_failures_and_answers_that_are_not_theirs_from_right_ones(provider: Upstream) -> None:
    provider.obey(Order())
    assert (await Callers(provider.address).call(2, 0.1)).failed == 0
    foreign = await Callers(provider.address, answer=b"of somebody else").call(2, 0.1)
    assert foreign.failed == len(foreign.calls) > 0
    provider.obey(Order(mode="fault"))
    broken = await Callers(provider.address).call(2, 0.1)
    assert broken.failed == len(broken.calls) > 0
    assert "told to fail" in broken.calls[0].complaint
    assert broken.calls_per_s == 0


async def test_streams_come_whole_and_in_order_at_their_pace(provider: Upstream) -> None:
    order = Order(chunks=5, rate_hz=50.0)
    provider.obey(order)
    (found,) = await streams.listen([(provider.address, 3)], order)
    assert [(len(one.delays_ms), one.lost, one.disordered, one.foreign, one.is_whole) for one in found] == [
        (5, 0, 0, 0, True)
    ] * 3
    assert all(delay > 0 for one in found for delay in one.delays_ms)


async def test_lost_exchanged_and_foreign_chunks_are_noticed(provider: Upstream) -> None:
    order = Order(chunks=6)
    provider.obey(order)
    connection = await Connection.open(provider.address)
    await connection.ask(chat_request(provider.address, 4, stream=True))
    await connection.leave()
    arrived = [*connection.arrivals]

    def judged(arrivals: list[Arrival], number: int = 4) -> tuple[int, int, int, bool]:
        found = streams.read(arrivals, number, order.chunks)
        return found.lost, found.disordered, found.foreign, found.is_whole

    assert judged(arrived) == (0, 0, 0, True)
    assert judged(arrived[:2] + arrived[3:]) == (1, 1, 0, True)
    assert judged([arrived[1], arrived[0], *arrived[2:]])[:2] == (0, 3)
    assert judged(arrived, number=5) == (0, 0, 6, True)
    assert judged(arrived[:-1]) == (0, 0, 0, False)


def test_what_a_broken_model_still_gets_is_counted_from_the_twentieth_call_on() -> None:
    calls = Load([Call(100.0 + n, 0.5, 200, is_right=n != 7) for n in range(60)], 60.0)
    calm = Load([Call(90.0 + n, 0.5, 200, is_right=True) for n in range(10)], 10.0)
    course = outage.Course(calm, calls, Load([], 1.0), down_s=100.0, back_s=160.0, served_s=162.5)
    tried_s = [90.5, 91.5, 100.5, 101.5, 119.5, 140.5, 161.0]
    told = outage.told(course, tried_s)
    assert told == outage.Told(60, 1, 0.2, 3, 1 / 40, 500.0, 2.5)


def test_ratios_are_of_neighbours_in_time() -> None:
    quiet, busy = overhead.Measured(100, 1, 1, 1, 1, 0), overhead.Measured(50, 1, 1, 1, 1, 0)
    slower = [one._replace(calls_per_s=one.calls_per_s * 0.8) for one in (quiet, busy, quiet)]
    assert overhead.ratio(slower, [quiet, busy, quiet], "calls_per_s") == pytest.approx(0.8)


def test_the_gateway_is_among_the_benchmarks_and_its_instruments_are_not() -> None:
    assert "gateway" in names()
    assert not any(name.startswith("_") for name in names())
    assert figures('[{"name": "overhead.throughput", "value": 0.7, "unit": "ratio", "command": "x", "ratio_to": "y"}]')


def test_libraries_are_compared_as_relays_and_by_what_they_do_when_cancelled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    relays.main(["--rounds", "1", "--seconds", "0.1", "--cancelled", "32"])
    found = {figure["name"]: figure["value"] for figure in figures(capsys.readouterr().out)}
    assert found["relays.aiohttp.aiohttp.failed"] == 0
    assert found["relays.aiohttp.aiohttp.rate"] > 0
    assert found["relays.aiohttp.httpx2.cpu_to_chosen"] > 0
    assert found["relays.aiohttp.cancelled"] == 32
    assert found["relays.aiohttp.succeeded_of_10_afterwards"] == 10


async def test_a_client_that_does_not_answer_any_more_is_noticed() -> None:
    async def stuck(_url: str, _body: bytes) -> Answered:
        await asyncio.Event().wait()
        raise AssertionError

    async def broken(_url: str, _body: bytes) -> Answered:
        return Answered(500, b"")

    assert await relays.end_of(stuck, "", 0.01) is TimeoutError
    assert await relays.end_of(broken, "", 1.0) is RuntimeError


def test_a_library_that_is_not_installed_is_left_out_and_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(relay.PACKAGES, "httpx", ("no_such_package",))
    assert [*relays.here(["aiohttp", "httpx"])] == ["aiohttp"]
    assert "left out: httpx (not installed: no_such_package)" in capsys.readouterr().err
