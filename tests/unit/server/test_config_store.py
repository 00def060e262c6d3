"""A URL of a PostgreSQL that cannot be read is refused, wherever it stands, and not shown."""

from pathlib import Path

import pytest

from server.config import ConfigError, load

MODEL = '[[models]]\nid = "m"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'
ENCODE = "in percent encoding (/ is %2F, @ is %40)"
SPLIT = "postgresql://ann:se/canary@db/routeward"


@pytest.mark.parametrize(
    ("in_file", "in_environment", "place", "told"),
    [
        (SPLIT, "", "routeward.toml:2", ENCODE),
        (
            "postgresql://ann:se canary@db/routeward",
            "",
            "routeward.toml:2",
            "like postgresql://USER@HOST:PORT/DATABASE",
        ),
        ("", SPLIT, "ROUTEWARD_POSTGRES", ENCODE),
        ("", "mysql://ann:canary@db/routeward", "ROUTEWARD_POSTGRES", ENCODE),
    ],
)
def test_such_a_url_is_refused_with_what_to_write(
    tmp_path: Path, in_file: str, in_environment: str, place: str, told: str
) -> None:
    file = tmp_path / "routeward.toml"
    file.write_text(f"[store]\npostgres = '{in_file}'\n{MODEL}")
    with pytest.raises(ConfigError) as error:
        load(file, {"ROUTEWARD_POSTGRES": in_environment})
    message = str(error.value)
    assert place in message
    assert told in message
    assert "canary" not in message
