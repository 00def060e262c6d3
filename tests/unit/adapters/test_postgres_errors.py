"""What went wrong with PostgreSQL is said in words that tell what to look at, without what the URL holds."""

import errno
import socket

import asyncpg
import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.ledger import StoreForbiddenError, StoreUnavailableError
from adapters.sql.postgres.errors import typed_error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.1.2.3', 5432)"), " (Connection refused)"),
        (OSError(errno.EHOSTUNREACH, "Connect call failed ('10.1.2.3', 5432)"), " (No route to host)"),
        (OSError("Multiple exceptions: Connect call failed ('10.1.2.3', 5432)"), " (OSError)"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), " (Name or service not known)"),
        (TimeoutError(), " within the time"),
        (PoolTimeoutError("QueuePool limit of size 4"), " within the time"),
        (asyncpg.ConnectionDoesNotExistError("connection was closed"), " (ConnectionDoesNotExistError)"),
    ],
)
def test_why_it_does_not_answer_is_said(error: Exception, reason: str) -> None:
    told = typed_error(error)
    assert type(told) is StoreUnavailableError
    assert str(told) == f"PostgreSQL does not answer{reason}; try again, nothing was lost"


def test_a_server_that_takes_nobody_may_be_starting_or_stopping() -> None:
    assert "is starting or stopping" in str(typed_error(asyncpg.CannotConnectNowError("the system is shutting down")))


def test_a_parameter_of_the_url_that_the_server_does_not_know_forbids_a_start() -> None:
    told = typed_error(asyncpg.UndefinedObjectError('unrecognized configuration parameter "secret"'))
    assert type(told) is StoreForbiddenError
    assert str(told) == "PostgreSQL does not let us in: a parameter of the URL is unknown to the server"


@pytest.mark.parametrize("error", [asyncpg.UndefinedTableError("signals"), asyncpg.UndefinedColumnError("shard")])
def test_tables_that_are_gone_do_not_come_back_by_trying_again(error: Exception) -> None:
    told = typed_error(error)
    assert type(told) is StoreUnavailableError
    assert str(told) == "PostgreSQL has other tables than this version: run  routeward db status"


def test_rights_that_are_missing_are_told_with_the_document_about_them() -> None:
    assert "see docs/howto/deploy.md" in str(typed_error(asyncpg.InsufficientPrivilegeError("schema public")))
