"""What deciding and recording cost in process, in processor time of the one thread that does it.

    python -m benchmarks.decisions

Ten models and five categories that have learned from 20,000 signals. "core" is what a cached decision takes without
its decision ids: names looked up, the request built, its distribution found, one model drawn. Figures are
medians of five.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from adapters.ledger import settle
from bandit.catalogue import Model, Prices
from bandit.draw import draw
from bandit.policy import policy
from bandit.posterior import infer
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Fact, Kind, Outcome, Status, Thumb
from bandit.snapshot import PolicySettings, snapshot_of
from bandit.spend import Spend
from bandit.sums import Sums, add_rows
from benchmarks._processes import MODELS
from routeward.v1.routing_service_pb2 import RouteRequest
from server.answers import route_response
from server.converters import call_of
from server.credentials import Principal
from server.editions import Edition
from server.namespace import Namespace, Published
from server.nonces import Nonces
from server.questions import Questions
from server.requests import Call
from server.routing import Router
from server.settings import Catalogue, LearningSettings, TokenKey
from server.tokens import TokenKeys

COMMAND = "python -m benchmarks.decisions"
RUNS = 5
SIGNALS = 20_000
FLUSH = 64
BUCKET_US = 10_000_000
NOW_US = 1_700_000_000_000_000
CATEGORIES = ("chat", "code-review", "extraction", "summarization", "translation")


def now_us() -> int:
    return time.time_ns() // 1000


def cost_us(work: Callable[[], object], calls: int) -> float:
    """Return the processor time of a call: median of the runs."""

    def once() -> float:
        started = time.thread_time()
        for _ in range(calls):
            work()
        return (time.thread_time() - started) / calls * 1e6

    once()
    return median(once() for _ in range(RUNS))


def signals(count: int, rng: np.random.Generator) -> list[SignalRecord]:
    """Outcomes and thumbs in turn, spread over an hour."""
    latencies_us = rng.lognormal(14, 1, count).astype(int).tolist()
    output_tokens = rng.integers(10, 2000, count).tolist()
    found = []
    for i in range(count):
        outcome = Outcome(Status.OK, latencies_us[i], latencies_us[i] // 3, 900, 0, output_tokens[i], 1)
        fact: Fact = Thumb(i % 4 == 1) if i % 2 else outcome
        decided_us = NOW_US - i * 3_600_000_000 // count
        category, model = CATEGORIES[i // 2 % len(CATEGORIES)], MODELS[i // 3 % len(MODELS)]
        decision = DecisionFacts(category, model, Kind.SAMPLED, decided_us, 1000)
        found.append(SignalRecord("default", rng.bytes(12), fact.signal, fact, decided_us, decided_us, decision, 0.1))
    return found


def sums_of(records: Sequence[SignalRecord]) -> Sums:
    return add_rows(Sums.empty(BUCKET_US, NOW_US), settle(records, {}, BUCKET_US, retained_us=0).rows["default"])


def measured(rng: np.random.Generator) -> dict[str, float]:
    """Return the cost of every step, in microseconds."""
    models = tuple(
        Model(name, Prices(1.0 + i, 3.0 + i), provider=f"provider-{i % 3}", context_tokens=128_000)
        for i, name in enumerate(MODELS)
    )
    learning = LearningSettings()
    sums = sums_of(signals(SIGNALS, rng))
    snapshot = snapshot_of(infer(sums, NOW_US, learning.inference), models, PolicySettings())
    edition = Edition(Catalogue(models=models), learning)
    namespace = Namespace(
        "default", edition, sums, Published(snapshot, edition, sums), Spend.empty(0), categories={*CATEGORIES}
    )
    keys = TokenKeys([TokenKey("bench", b"benchmarks sign their own tokens")])
    questions = Questions({"default": namespace}, keys, learning.max_feedback_age_s)
    router = Router(questions, keys, clock=now_us, rng=rng, nonce=Nonces(now_us))
    call, caller = Call("chat", request_id="0d9b4f6e", input_tokens=1200), Principal()
    request = questions.ask(call, caller, NOW_US).request
    decision = router.route(call, caller)
    token = keys.verify(decision.id, now_us(), learning.max_feedback_age_s)
    message = RouteRequest(category=call.category, request_id=call.request_id, input_tokens=call.input_tokens)
    flush = signals(FLUSH, rng)

    def core() -> None:
        draw(questions.ask(call, caller, NOW_US).choices().distribution, rng)

    def flushed() -> None:
        add_rows(sums, settle(flush, {}, BUCKET_US, retained_us=0).rows["default"])

    return {
        "decision.cached.core": cost_us(core, 2000),
        "decision.cached.whole": cost_us(lambda: router.route(call, caller), 1000),
        "decision.uncached.policy_of_10_models": cost_us(lambda: policy(snapshot, request), 300),
        "decision.id.signed": cost_us(lambda: keys.sign(token), 2000),
        "decision.id.verified": cost_us(lambda: keys.verify(decision.id, now_us(), 1e6), 2000),
        "decision.request_read": cost_us(lambda: call_of(message), 2000),
        "decision.response_made": cost_us(lambda: route_response(decision).SerializeToString(), 2000),
        f"signal.recorded_in_flush_of_{FLUSH}": cost_us(flushed, 30) / FLUSH,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure decisions in process.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.parse_args()
    found = measured(np.random.default_rng(7))
    figures = [{"name": n, "value": round(v, 2), "unit": "us", "command": COMMAND} for n, v in found.items()]
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
