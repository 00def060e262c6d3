"""Route answers whatever the store does; feedback is refused honestly, and nothing is lost or counted twice."""

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.sql.sqlite import SqliteStore
from routeward.v1 import routing_service_pb2 as pb
from server.health import FEEDBACK, ROUTING
from tests.integration.server.fragile_store import FragileStore

UP = pb.Signal(thumb=pb.THUMB_UP)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def fragile(tmp_path):
    return FragileStore(await SqliteStore.open(tmp_path / "fragile.db", bucket_us=10_000_000))


async def health(client, service):
    stub = health_pb2_grpc.HealthStub(client.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def test_while_the_store_is_down_route_answers_and_feedback_is_unavailable_with_a_time_to_retry(
    serve, settings, tmp_path
):
    store = await fragile(tmp_path)
    async with serve(settings, store=store) as running:
        client = running.client()
        decision = await client.route()
        store.down = True
        failure = await client.feedback(decision.decision_id, UP)
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        assert "grpc-retry-pushback-ms" in failure.everything
        assert "no space" not in failure.everything
        assert (await client.route()).model
        assert await health(client, FEEDBACK) == NOT_SERVING
        assert await health(client, ROUTING) == await health(client, "") == SERVING
        store.down = False
        assert (await client.feedback(decision.decision_id, UP)).revision == 1
        assert await health(client, FEEDBACK) == SERVING


async def test_a_look_takes_back_what_a_look_found_and_not_what_a_write_found(serve, settings, tmp_path):
    store = await fragile(tmp_path)
    async with serve(settings, store=store) as running:
        client, hear = running.client(), running.service._hear_of_look
        decision = await client.route()

        async def shown():
            up = running.service._metrics.registry.get_sample_value("routeward_store_up")
            return await health(client, FEEDBACK) == SERVING, up

        for answers in (False, True):
            hear(answers)
            assert await shown() == (answers, float(answers))
        store.full = True
        assert (await client.feedback(decision.decision_id, UP)).reason == "STORE_UNAVAILABLE"
        hear(True)
        assert await shown() == (False, 0.0)
        store.full = False
        assert (await client.feedback(decision.decision_id, UP)).revision == 1
        hear(False)
        assert await shown() == (True, 1.0)


async def test_on_a_full_disk_feedback_does_not_serve_though_the_store_can_be_read(serve, settings, tmp_path):
    store = await fragile(tmp_path)
    async with serve(settings, store=store) as running:
        client = running.client()
        decision = await client.route()
        store.full = True
        assert (await client.feedback(decision.decision_id, UP)).reason == "STORE_UNAVAILABLE"
        await running.publish()
        await running.check()
        assert not running.namespace().stale
        assert await health(client, FEEDBACK) == NOT_SERVING
        store.full = False
        await running.publish()
        assert await health(client, FEEDBACK) == NOT_SERVING
        await running.check()
        assert await health(client, FEEDBACK) == SERVING


async def test_a_write_whose_answer_was_lost_is_found_again_and_its_retry_counts_once(serve, settings, tmp_path):
    store = await fragile(tmp_path)
    async with serve(settings, store=store) as running:
        client = running.client()
        first, second = await client.route(), await client.route()
        store.silent = True
        signal = pb.Signal(thumb=pb.THUMB_UP)
        signal.observed_time.seconds = 1_700_000_000
        assert (await client.feedback(first.decision_id, signal)).reason == "STORE_UNAVAILABLE"
        store.silent = False
        retried = await client.feedback(first.decision_id, signal)
        assert [result.status for result in retried.results] == [pb.SIGNAL_STATUS_DUPLICATE]
        told = await client.feedback(second.decision_id, UP)
        assert told.revision == 2
        await running.publish()
        assert running.namespace().sums.rows() == (await running.store.load("default")).rows
        assert await running.store.verify() == {}


async def test_while_the_store_hangs_route_answers_and_a_deadline_loses_nothing(serve, settings, tmp_path):
    store = await fragile(tmp_path)
    async with serve(settings, store=store) as running:
        client = running.client()
        decisions = [await client.route() for _ in range(20)]
        store.hanging = asyncio.Event()
        calls = [
            client.routing.Feedback(pb.FeedbackRequest(decision_id=decision.decision_id, signals=[UP]), timeout=1.5)
            for decision in decisions
        ]
        assert (await client.route()).model
        results = await asyncio.gather(*calls, return_exceptions=True)
        codes = {result.code() for result in results if isinstance(result, grpc.RpcError)}
        assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}
        store.hanging.set()
        again = [await client.feedback(decision.decision_id, UP) for decision in decisions]
        assert {result.status for answer in again for result in answer.results} == {pb.SIGNAL_STATUS_DUPLICATE}
        assert len([record async for record in store.signals()]) == 20


async def test_watchers_of_health_hear_when_feedback_fails_and_when_the_server_drains(serve, settings, tmp_path):
    store = await fragile(tmp_path)
    async with serve(settings, store=store) as running:
        client = running.client()
        decision = await client.route()
        stub = health_pb2_grpc.HealthStub(client.channel)
        feedback = stub.Watch(health_pb2.HealthCheckRequest(service=FEEDBACK))
        routing = stub.Watch(health_pb2.HealthCheckRequest(service=ROUTING))
        assert (await feedback.read()).status == (await routing.read()).status == SERVING
        store.down = True
        await client.feedback(decision.decision_id, UP)
        assert (await feedback.read()).status == NOT_SERVING
        stopping = asyncio.create_task(running.service.stop(asyncio.Event()))
        assert (await routing.read()).status == NOT_SERVING
        feedback.cancel()
        routing.cancel()
        await stopping


async def test_a_drain_finishes_what_began_and_loses_nothing(serve, settings):
    async with serve(settings) as running:
        client = running.client()
        decisions = [await client.route() for _ in range(60)]
        told = [asyncio.create_task(client.feedback(one.decision_id, UP)) for one in decisions]
        await asyncio.sleep(0)
        await running.service.stop(asyncio.Event())
        answers = await asyncio.gather(*told)
        stored = {record.nonce async for record in running.store.signals()}
        for decision, answer in zip(decisions, answers, strict=True):
            if isinstance(answer, pb.FeedbackResponse):
                assert running.nonce(decision.decision_id) in stored
            else:
                assert answer.code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert await running.store.verify() == {}
        assert len([row async for row in running.store.decisions()]) == 60
