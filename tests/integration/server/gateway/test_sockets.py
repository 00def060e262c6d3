"""What arrives at the socket without a well-behaved client: slow, cut, wrong and impatient callers."""

import asyncio
import json
import re

import pytest

from server.http.sockets import Patience
from server.listening import bound

BODY = b'{"model":"auto","messages":[{"role":"user","content":"Hello?"}]}'
IMPATIENT = Patience(idle_s=0.2, body_s=0.2, write_s=0.2, linger_s=0.05)


def post(body: bytes = BODY, path: str = "/v1/chat/completions", **headers: str) -> bytes:
    given = {"content_type": "application/json", "content_length": str(len(body)), "connection": "close"} | headers
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items() if value)
    return f"POST {path} HTTP/1.1\r\nhost: test\r\n{lines}\r\n".encode() + body


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def error_in(answer: bytes) -> dict[str, str]:
    error: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    return error


async def test_calls_that_wait_at_a_socket_of_two_edges_are_answered_by_the_one_that_stays(serve):
    waiting = []
    with bound("127.0.0.1:0", "gateway.listen") as shared:
        shared.setblocking(False)
        async with serve(inherited=shared.dup()) as stays:
            async with serve(inherited=shared.dup()) as leaves:
                waiting = [asyncio.create_task(leaves.send(post())) for _ in range(20)]
                await leaves.http.stop(20)
            answers = [statuses(answer) for answer in await asyncio.gather(*waiting)]
            answers += [statuses(await stays.send(post()))]
    assert answers == [[200]] * 21


async def test_headers_that_never_end_are_not_waited_for(serve):
    async with serve(patience=IMPATIENT) as edge:
        assert await edge.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: te") == b""


async def test_a_body_that_never_ends_is_not_waited_for(serve):
    async with serve(patience=IMPATIENT) as edge:
        answer = await edge.send(post(content_length=str(len(BODY) + 1)))
    assert (statuses(answer), error_in(answer)["code"]) == ([408], "body_timeout")
    assert not edge.chats.chats


async def test_a_caller_who_takes_nothing_of_a_stream_is_given_up(serve):
    async with serve(patience=IMPATIENT) as edge:
        edge.chats.chunks = [edge.chats.chunks[0]._replace(data=b'"' + b"x" * 1_000_000 + b'"')] * 50
        reader, writer = await asyncio.open_connection(*edge.address.split(":"), limit=1024)
        writer.write(post(BODY[:-1] + b',"stream":true}'))
        await asyncio.wait_for(edge.chats.closed.wait(), 20)
        writer.close()
    assert not reader.at_eof()


async def test_a_caller_who_hangs_up_while_his_body_is_on_the_way_leaves_nothing_behind(edge):
    assert await edge.send(post(content_length=str(len(BODY) + 9)), half_close=True) == b""
    assert statuses(await edge.send(post())) == [200]
    assert len(edge.chats.chats) == 1


async def test_half_a_connection_is_a_caller_who_left(edge):
    edge.chats.gate.clear()
    sending = asyncio.create_task(edge.send(post(), half_close=True))
    await asyncio.wait_for(edge.chats.cancelled.wait(), 20)
    assert await sending == b""


async def test_requests_in_one_piece_are_answered_one_after_the_other(edge):
    answer = await edge.send(post(connection="") + post(connection="") + post())
    assert statuses(answer) == [200, 200, 200]


async def test_what_is_left_over_of_a_body_is_no_request(edge):
    answer = await edge.send(post(content_length=str(len(BODY) - 2), connection=""))
    assert (statuses(answer), error_in(answer)["code"]) == ([400], "malformed_http")
    assert not edge.chats.chats


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a handshake\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: a\r\n" + b"x: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 500 + b"\r\n",
        post(content_length="-5"),
        post(content_length="many"),
        post(content_length="64", transfer_encoding="chunked"),
    ],
    ids=["TLS", "version", "long header", "many headers", "negative length", "no length", "two lengths"],
)
async def test_bytes_that_are_no_request_get_an_error_of_the_usual_shape(edge, raw, capfd):
    answer = await edge.send(raw)
    assert (statuses(answer), error_in(answer)["code"]) == ([400], "malformed_http")
    assert b"handshake" not in answer
    assert not edge.chats.chats
    assert capfd.readouterr() == ("", "")


async def test_chunks_of_a_body_that_are_none_are_refused(edge):
    answer = await edge.send(post(b"zz\r\nnothing", content_length="", transfer_encoding="chunked"))
    assert statuses(answer)[0] == 400
    assert not edge.chats.chats


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_before_it_is_read(edge, chunked):
    body = b'{"model":"' + b"x" * 300_000 + b'"}'
    raw = post(body)
    if chunked:
        raw = post(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), content_length="", transfer_encoding="chunked")
    answer = await edge.send(raw)
    assert (statuses(answer), error_in(answer)["code"]) == ([413], "body_too_large")


async def test_who_asks_whether_to_send_his_body_is_told_to(edge):
    reader, writer = await asyncio.open_connection(*edge.address.split(":"))
    head, _, body = post(expect="100-continue").partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    async with asyncio.timeout(20):
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.write(body)
        assert statuses(await reader.read()) == [200]
    writer.close()


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"content_type": "text/plain"}, 415, "unsupported_media_type"),
        ({"content_encoding": "gzip"}, 415, "unsupported_encoding"),
        ({"origin": "http://evil.example"}, 403, "origin_refused"),
    ],
)
async def test_what_a_page_or_a_bomb_would_send_is_refused(edge, headers, status, code):
    answer = await edge.send(post(**headers))
    assert (statuses(answer), error_in(answer)["code"]) == ([status], code)
    assert not edge.chats.chats


async def test_paths_and_methods_that_are_not_served_are_told_which_are(edge):
    nowhere = await edge.send(post(path="/v1/embeddings"))
    wrong = await edge.send(b"GET /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert (statuses(nowhere), error_in(nowhere)["code"]) == ([404], "unknown_path")
    assert (statuses(wrong), b"allow: post" in wrong.lower()) == ([405], True)
    assert edge.value("http_requests_total", route="other", status="404") == 1.0


async def test_a_stop_lets_calls_end_takes_no_more_and_then_cancels(edge):
    edge.chats.gate.clear()
    ending = asyncio.create_task(edge.send(post(connection="")))
    await asyncio.wait_for(edge.chats.begun.wait(), 20)
    stopping = asyncio.create_task(edge.http.stop(20.0))
    await asyncio.sleep(0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*edge.address.split(":"))
    edge.chats.gate.set()
    assert statuses(await ending) == [200]
    await stopping


async def test_a_stop_does_not_wait_longer_than_it_is_told(edge):
    edge.chats.gate.clear()
    cut = asyncio.create_task(edge.send(post()))
    await asyncio.wait_for(edge.chats.begun.wait(), 20)
    await edge.http.stop(0.05)
    assert edge.chats.cancelled.is_set()
    assert await cut == b""


async def test_a_second_stop_hurries_the_first(edge):
    edge.chats.gate.clear()
    cut = asyncio.create_task(edge.send(post()))
    await asyncio.wait_for(edge.chats.begun.wait(), 20)
    patient = asyncio.create_task(edge.http.stop(3600.0))
    await asyncio.sleep(0)
    await edge.http.stop(0.0)
    await asyncio.wait_for(patient, 20)
    assert edge.chats.cancelled.is_set()
    assert await cut == b""


async def test_a_server_that_drains_is_alive_and_not_ready(edge):
    get = b"GET %s HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    assert statuses(await edge.send(get % b"/readyz")) == [200]
    edge.http.drain()
    for path, status in ((b"/readyz", 503), (b"/livez", 200), (b"/healthz", 200)):
        assert statuses(await edge.send(get % path)) == [status]
    assert statuses(await edge.send(post())) == [200]
