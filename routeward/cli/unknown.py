"""Names that the server does not know, told with those that it knows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from routeward.cli.output import CommandError
from routeward.errors import CategoryUnknownError, ModelUnknownError, RoutewardError

if TYPE_CHECKING:
    from routeward.cli.connection import Server

SHOWN: Final = 12


@contextmanager
def told_with_names(server: "Server") -> Iterator[None]:
    """Where the statement names what the server does not know, say what it knows."""
    try:
        yield
    except (ModelUnknownError, CategoryUnknownError) as error:
        kind = "model" if isinstance(error, ModelUnknownError) else "category"
        name, known = error.metadata.get(kind, ""), _known(server, kind)
        if not known:
            raise
        raise CommandError(error.reason, _sentence(kind, name, known), details=_details(error, known)) from error


def _known(server: "Server", kind: str) -> list[str]:
    """Return the names that the server knows; none where it does not say either."""
    from routeward.v1.admin_service_pb2 import GetPosteriorRequest

    try:
        categories = server.posterior(GetPosteriorRequest()).categories
    except (RoutewardError, CommandError):
        return []
    if kind == "category":
        return sorted({one.category for one in categories})
    return sorted({model.model for one in categories for model in one.models})


def _sentence(kind: str, name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    guess = f"did you mean {near[0]}? It" if near else "it"
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"the server knows no {kind} {name}; {guess} knows {', '.join(known[:SHOWN])}{more}"


def _details(error: RoutewardError, known: Sequence[str]) -> dict[str, object]:
    return {"metadata": error.metadata, "violations": [], "known": list(known)}
