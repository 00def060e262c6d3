"""Ray, which only a log too large for one machine needs, changes no bit of what one process adds up."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from adapters.traffic.calls import Calls
from adapters.traffic.formats import open_log
from simulations.engines import InProcess
from simulations.errors import OptionsError
from simulations.generator import MODELS, TASKS
from simulations.logs.files import write_log
from simulations.logs.invented import InventedLog, LogSettings
from simulations.offpolicy import first_pass as module
from simulations.offpolicy.collapse import collapse
from simulations.offpolicy.first_pass import first_pass
from simulations.ray_engine import Ray
from tests.unit.offpolicy.test_collapse import same

pytestmark = pytest.mark.slow
LOG = InventedLog(LogSettings(rows=6000, logger="thompson", models=MODELS[:4], tasks=TASKS[:3], session_length=3))


@pytest.fixture(autouse=True)
def needs_ray() -> None:
    if not find_spec("ray"):
        pytest.fail("this needs Ray: make .venv/slow")


def batches() -> Iterator[Calls]:
    return LOG.batches(1000)


def test_two_workers_of_ray_add_a_log_up_to_the_bits_of_one_process_and_ray_is_gone_after() -> None:
    import ray

    same(collapse(batches(), Ray(2)), collapse(batches()))
    assert not ray.is_initialized()


def test_two_workers_of_ray_add_parquet_up_to_the_bits_of_one_process_and_a_cluster_that_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(module, "CHUNK", 1500)
    write_log(LOG, tmp_path / "log.parquet")
    one = first_pass(open_log(tmp_path), InProcess())
    with ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False):
        two = first_pass(open_log(tmp_path), Ray(2))
        assert ray.is_initialized()
    assert one is not None
    assert two is not None
    same(two, one)


def test_where_no_cluster_is_at_the_address_that_is_said() -> None:
    with pytest.raises(OptionsError, match=r"no cluster of Ray at 127\.0\.0\.1:1"):
        collapse(batches(), Ray(2, "127.0.0.1:1"))
