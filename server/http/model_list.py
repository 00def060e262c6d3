"""GET /v1/models: what may stand in the field `model`."""

import json
from typing import Final

from server.credentials import Principal
from server.errors import ModelUnknownError
from server.http.categories import AUTO
from server.http.exchange import Document, Incoming, Reply
from server.settings import Settings

PATH: Final = "/v1/models"


class ModelList:
    """The names of models and categories, as they were configured at `started_s` (seconds since 1970)."""

    def __init__(self, settings: Settings, started_s: int) -> None:
        owners = dict.fromkeys(
            [AUTO, *(f"{AUTO}/{name}" for name in sorted(settings.catalogue.categories))], "routeward"
        )
        upstreams = settings.gateway.upstreams
        owners |= {
            model.id: model.provider or upstreams[model.id].provider
            for model in settings.catalogue.models
            if model.enabled and model.id in upstreams
        }
        self._models: dict[str, Document] = {
            name: {"id": name, "object": "model", "created": started_s, "owned_by": owner}
            for name, owner in owners.items()
        }

    async def list_all(self, _incoming: Incoming, _body: bytes, _caller: Principal) -> Reply:
        """Return every name."""
        return Reply(200, json.dumps({"object": "list", "data": list(self._models.values())}).encode("ascii"))

    async def get(self, incoming: Incoming, _body: bytes, _caller: Principal) -> Reply:
        """Return one. Raises ModelUnknownError."""
        name = incoming.path.removeprefix(f"{PATH}/")
        if name not in self._models:
            raise ModelUnknownError(name, self._models)
        return Reply(200, json.dumps(self._models[name]).encode("ascii"))
