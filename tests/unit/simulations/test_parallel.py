import operator
from functools import partial

import pytest

from simulations.parallel import run_all, unwatched


def test_results_come_in_the_order_of_the_tasks() -> None:
    seen: list[tuple[int, int]] = []
    tasks = [partial(operator.mul, 2, number) for number in range(5)]
    assert run_all(tasks, 1, lambda done, total: seen.append((done, total))) == [0, 2, 4, 6, 8]
    assert seen == [(done, 5) for done in range(6)]


def test_processes_give_the_same_results_and_report_each_task() -> None:
    seen: list[tuple[int, int]] = []
    tasks = [partial(operator.mul, 2, number) for number in range(5)]
    assert run_all(tasks, 2, lambda done, total: seen.append((done, total))) == [0, 2, 4, 6, 8]
    assert seen == [(done, 5) for done in range(6)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_task_is_raised(workers: int) -> None:
    tasks = [partial(operator.truediv, 1, number) for number in (1, 0)]
    with pytest.raises(ZeroDivisionError):
        run_all(tasks, workers, unwatched)


def test_nothing_to_do_is_done() -> None:
    assert run_all([], 0, unwatched) == []
