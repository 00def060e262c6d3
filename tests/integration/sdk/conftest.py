"""A fake server, and both clients behind one blocking face, so that one test holds for the twins."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

from routeward import AsyncClient, Call, Client, Decision, Feedback, FeedbackResult, RoutewardError, Signal
from routeward.testing import FakeRouter, ManualClock

MODELS = {"summarization": ["small", "large", "huge"], "code": "coder"}


class BlockingAsyncClient:
    """An asynchronous client whose event loop runs only while one of its methods is called."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*arguments, **settings)

    def route(self, category: str, **options: Any) -> Decision:
        return self._runner.run(self._client.route(category, **options))

    def feedback(self, decision: Decision | str, *signals: Signal, **options: Any) -> FeedbackResult:
        return self._runner.run(self._client.feedback(decision, *signals, **options))

    def feedback_batch(self, items: list[Feedback]) -> tuple[FeedbackResult | RoutewardError, ...]:
        return self._runner.run(self._client.feedback_batch(items))

    def call(self, category: str, **options: Any) -> AbstractContextManager[Call]:
        return self._blocking(self._client.call(category, **options))

    def attempts(self, category: str, **options: Any) -> Iterator[AbstractContextManager[Call]]:
        attempts = aiter(self._client.attempts(category, **options))
        while (attempt := self._runner.run(_next(attempts))) is not None:
            yield self._blocking(attempt)

    def close(self) -> None:
        self._runner.run(self._client.close())

    def end(self) -> None:
        self.close()
        self._runner.close()

    @contextmanager
    def _blocking(self, block: Any) -> Iterator[Call]:
        call = self._runner.run(block.__aenter__())
        try:
            yield call
        except BaseException as error:
            if not self._runner.run(block.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self._runner.run(block.__aexit__(None, None, None))


async def _next(iterator: Any) -> Any:
    return await anext(iterator, None)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def router() -> Iterator[FakeRouter]:
    with FakeRouter(MODELS) as router:
        yield router


@pytest.fixture(params=["sync", "async"])
def make_client(request: pytest.FixtureRequest, router: FakeRouter) -> Iterator[Callable[..., Any]]:
    """Return a function that makes a client of the fake server, closed after the test."""
    with ExitStack() as stack:

        def make(target: str | None = None, **settings: Any) -> Any:
            if request.param == "sync":
                return stack.enter_context(Client(target or router.target, **settings))
            client = BlockingAsyncClient(target or router.target, **settings)
            stack.callback(client.end)
            return client

        yield make


@pytest.fixture
def client(make_client: Callable[..., Any]) -> Any:
    return make_client()
