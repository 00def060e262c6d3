"""Where chunks are worked on changes no bit of their sums."""

from pathlib import Path

import pytest

from adapters.traffic.calls import Calls
from adapters.traffic.formats import open_log
from simulations import ray_engine
from simulations.engines import InProcess, Processes, Threads, engine_of
from simulations.errors import MissingRayError, OptionsError
from simulations.generator import MODELS, TASKS
from simulations.logs.files import write_log
from simulations.logs.invented import InventedLog, LogSettings
from simulations.offpolicy import first_pass as module
from simulations.offpolicy.collapse import collapse
from simulations.offpolicy.first_pass import first_pass
from tests.unit.offpolicy.conftest import part
from tests.unit.offpolicy.test_collapse import same


def test_processes_give_the_bits_of_one_process(calls: Calls) -> None:
    batches = [part(calls, first, first + 400) for first in range(0, len(calls), 400)]
    same(collapse(batches, Processes(2)), collapse(batches))


def test_processes_that_add_up_parquet_give_the_bits_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 200)
    write_log(InventedLog(LogSettings(rows=400, models=MODELS[:3], tasks=TASKS[:2])), tmp_path / "log.parquet")
    one, two = (first_pass(open_log(tmp_path), engine) for engine in (InProcess(), Processes(2)))
    assert one is not None
    assert two is not None
    same(one, two)


def test_results_come_in_the_order_of_chunks_and_few_chunks_are_taken_ahead() -> None:
    taken: list[int] = []

    def chunk(number: int) -> int:
        taken.append(number)
        return number

    found = Threads(2).map(lambda number: number, map(chunk, range(100)))
    assert next(found) == 0
    assert len(taken) <= 5
    assert list(found) == list(range(1, 100))


def test_without_ray_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "find_spec", lambda _: None)
    with pytest.raises(MissingRayError, match=r"pip install 'routeward\[ray\]'"):
        engine_of("ray")


def test_an_engine_has_a_name_and_only_that_of_ray_an_address() -> None:
    assert engine_of("") is None
    assert engine_of("", 3) == Threads(3)
    assert engine_of("processes", 2) == Processes(2)
    with pytest.raises(OptionsError, match="choose one of processes, ray"):
        engine_of("spark")
    with pytest.raises(OptionsError, match="--engine ray"):
        engine_of("processes", address="head:6379")
