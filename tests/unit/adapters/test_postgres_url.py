"""A URL that the driver would take for another is refused before anybody connects."""

import pytest

from adapters.postgres_url import is_readable


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgresql://routeward@db.internal/routeward",
        "postgresql://ann:s%2Fe%40cret@db:5432/routeward?sslmode=verify-full",
        "postgres://ann@[::1]:5432,other:6,third/routeward",
        "postgresql://ann@/routeward?host=/run/postgresql&port=5433",
        "postgresql:///routeward?user=ann@tenant",
        "postgresql://ann:secret@:5432/routeward",
    ],
)
def test_a_url_whose_password_is_encoded_is_read(url: str) -> None:
    assert is_readable(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:ap@pw@127.0.0.1:port/rw",
        "postgresql://app:ap@pw@127.0.0.1/rw",
        "postgresql://ann:sec/ret@db/routeward",
        "postgresql://ann:123/secret@db/routeward",
        "postgresql://ann:123?secret@db/routeward",
        "postgresql://ann:123#secret@db/routeward",
        "postgresql://ann:sec[ret@db/routeward",
        "postgresql://ann:secret",
        "postgresql://ann@db:5432:6/routeward",
        "postgresql://ann@db:65536/routeward",
        "postgresql://ann@db,,other/routeward",
        "postgresql://ann@/routeward?port=socket",
    ],
)
def test_a_url_that_would_be_taken_for_another_is_not(url: str) -> None:
    assert not is_readable(url)
