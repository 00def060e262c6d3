"""What a decision id and an API key cost: signing, accepting, telling a caller; processor time, medians of five."""

import json
import statistics
import timeit
from collections.abc import Callable
from time import process_time

from bandit.signals import Kind
from server.credentials import Credentials, make_key
from server.settings import ApiKey, TokenKey
from server.tokens import DecisionToken, TokenKeys

CALLS = 20_000
ROUNDS = 5
TOKEN = DecisionToken(
    namespace="default",
    category="summarization",
    model="openai/gpt-4.1-mini",
    kind=Kind.SAMPLED,
    propensity=0.123456789,
    decided_us=1_800_000_000_000_000,
    nonce=bytes(12),
    input_tokens=1000,
)


def us_per_call(action: Callable[[], object]) -> float:
    """Median time of a call in microseconds of this process."""
    rounds = timeit.repeat(action, number=CALLS, repeat=ROUNDS, timer=process_time)
    return statistics.median(rounds) / CALLS * 1e6


def main() -> None:
    """Measure, and print the figures as JSON."""
    keys = TokenKeys([TokenKey("k1", bytes(32))])
    text = keys.sign(TOKEN)
    key, sha256 = make_key("app", bytes)
    credentials, header = Credentials([ApiKey("app", sha256)]), f"Bearer {key}"
    actions: dict[str, Callable[[], object]] = {
        "sign a decision id": lambda: keys.sign(TOKEN),
        "accept a decision id": lambda: keys.verify(text, TOKEN.decided_us, 1.0),
        "tell a known caller": lambda: credentials.authenticate(header),
    }
    figures = [
        {
            "name": name,
            "value": round(us_per_call(action), 2),
            "unit": "us",
            "command": "python -m benchmarks.tokens",
        }
        for name, action in actions.items()
    ]
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
