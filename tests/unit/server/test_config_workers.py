"""What several workers need to share, and a configuration may lack."""

from pathlib import Path

import pytest

from server.config import ConfigError, load

MODEL = '[[models]]\nid = "m"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'
POSTGRES = {"ROUTEWARD_POSTGRES": "postgresql://routeward:canary@db/routeward"}
TOKEN_KEYS = {"ROUTEWARD_TOKEN_KEYS": "k:" + "ab" * 32}
KEY = {"ROUTEWARD_FINGERPRINT_KEY": "cd" * 32}
IN_MEMORY = '[store]\npath = ""\n'
GATEWAY = '[gateway]\nlisten = "127.0.0.1:0"\n'
OPENAI = {"OPENAI_API_KEY": "sk-canary"}


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "routeward.toml"
        path.write_text(text + MODEL.replace("[[models]]\n", '[[models]]\nprovider = "openai"\n'))
        return path

    return write


def refused(path: Path, environ: dict[str, str], workers: int = 0) -> str:
    with pytest.raises(ConfigError) as error:
        load(path, environ, workers=workers, serving=True)
    assert "canary" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("store", ["", IN_MEMORY])
def test_several_workers_over_a_store_for_one_process_are_refused_with_advice(file, store):
    path = file("[server]\nworkers = 2\n" + store)
    told = refused(path, TOKEN_KEYS)
    assert f"{path}:2" in told
    assert "several workers need a store that they share" in told
    assert "set ROUTEWARD_POSTGRES" in told


def test_the_option_is_named_where_it_asked_for_them(file):
    assert "--workers" in refused(file(""), {}, workers=2)


def test_several_workers_over_postgres_are_accepted_and_the_option_goes_before_the_file(file):
    path = file("[server]\nworkers = 2\n")
    assert load(path, POSTGRES, serving=True).server.workers == 2
    assert load(path, POSTGRES, workers=3, serving=True).server.workers == 3
    assert load(path, {}, workers=1, serving=True).server.workers == 1


def test_who_only_looks_at_the_file_needs_not_the_variables_of_the_server(file):
    assert load(file("[server]\nworkers = 2\n"), {}).server.workers == 2


def test_keys_that_each_worker_would_make_for_itself_are_refused(file):
    path = file("[server]\nworkers = 2\n" + IN_MEMORY + GATEWAY)
    told = refused(path, POSTGRES | OPENAI)
    assert "set ROUTEWARD_TOKEN_KEYS" in told
    assert "set ROUTEWARD_FINGERPRINT_KEY" in told
    assert load(path, POSTGRES | OPENAI | TOKEN_KEYS | KEY, serving=True).server.workers == 2


@pytest.mark.parametrize("workers", ["0", "65", '"two"'])
def test_an_impossible_number_is_refused_with_the_range(file, workers):
    assert "1 to 64" in refused(file(f"[server]\nworkers = {workers}\n"), POSTGRES)
