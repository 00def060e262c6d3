"""GET /v1/models: what may stand in the field `model`."""

import json
from typing import Final

from server.credentials import Principal
from server.errors import ModelUnknownError
from server.http.categories import AUTO
from server.http.exchange import Document, Incoming, Reply
from server.http.offer import Offer

PATH: Final = "/v1/models"


class ModelList:
    """The names of the models and categories that a caller can ask for; `started_s` (since 1970) is when it began."""

    def __init__(self, offer: Offer, started_s: int) -> None:
        self._offer = offer
        self._started_s = started_s

    async def list_all(self, _incoming: Incoming, _body: bytes, caller: Principal) -> Reply:
        """Return every name."""
        return Reply(200, json.dumps({"object": "list", "data": list(self._models(caller).values())}).encode("ascii"))

    async def get(self, incoming: Incoming, _body: bytes, caller: Principal) -> Reply:
        """Return one. Raises ModelUnknownError."""
        name, models = incoming.path.removeprefix(f"{PATH}/"), self._models(caller)
        if name not in models:
            raise ModelUnknownError(name, models)
        return Reply(200, json.dumps(models[name]).encode("ascii"))

    def _models(self, caller: Principal) -> dict[str, Document]:
        catalogue, owners = self._offer.edition(caller.namespace).catalogue, self._offer.owners
        named = dict.fromkeys([AUTO, *(f"{AUTO}/{name}" for name in sorted(catalogue.categories))], "routeward")
        named |= {
            model.id: model.provider or owners[model.id]
            for model in catalogue.models
            if model.enabled and model.id in owners
        }
        return {
            name: {"id": name, "object": "model", "created": self._started_s, "owned_by": owner}
            for name, owner in named.items()
        }
