"""How the address of a PostgreSQL is shown: never with what may be secret."""

import pytest

from adapters.sql.postgres import Reach


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@db.internal:5432/routeward", "postgresql://db.internal:5432/routeward"),
        ("postgresql://ann:se@cret@db/routeward", "postgresql://db/routeward"),
        ("postgresql://ann:secret@[::1]:5432,other:6/routeward", "postgresql://[::1]:5432,other:6/routeward"),
        ("postgresql://ann@/db?host=/run/postgresql&password=secret", "postgresql:///db?host=/run/postgresql"),
        ("postgresql://db/routeward?sslpassword=secret&port=6", "postgresql://db/routeward?port=6"),
        ("postgresql://ann:sec/ret@db/routeward", "PostgreSQL"),
        ("postgresql://ann:123/secret@db/routeward", "PostgreSQL"),
        ("postgresql://ann:123?secret@db/routeward", "PostgreSQL"),
        ("postgresql://ann:123#secret@db/routeward", "PostgreSQL"),
        ("postgresql://ann:secret", "PostgreSQL"),
        ("postgresql://ann:sec[ret@db/routeward", "PostgreSQL"),
    ],
)
def test_an_address_is_shown_without_user_and_password(url: str, shown: str) -> None:
    assert Reach(url).address == shown
    assert "ecret" not in repr(Reach(url))


@pytest.mark.parametrize(("statement_s", "write_s"), [(0.5, 3.0), (5.0, 3.0), (7.0, 5.0), (60.0, 58.0)])
def test_a_write_takes_longer_than_senders_usually_wait_only_where_a_statement_may(
    statement_s: float, write_s: float
) -> None:
    assert Reach("postgresql://db/routeward", statement_s=statement_s).write_s == write_s


def test_what_is_said_of_it_is_named_by_its_address_where_that_says_more() -> None:
    assert Reach("postgresql://ann:secret@db/routeward").named("is full") == "postgresql://db/routeward: is full"
    assert Reach("postgresql://ann:sec/ret@db/routeward").named("PostgreSQL is full") == "PostgreSQL is full"
