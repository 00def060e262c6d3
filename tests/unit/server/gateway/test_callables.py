"""What calls the models that somebody registers while the gateway runs."""

from adapters.ledger import MANAGED_BY_FILE
from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.registry import MANAGED_BY_API, Entry, EntryKey, EntryKind, Registry
from server.gateway.callables import Callables
from server.settings import GatewaySettings
from tests.unit.server.gateway.scripted import ScriptedProvider

ACME = Endpoint(name="acme", format=Format.OPENAI, base_url="http://127.0.0.1:1")
KNOWN = GatewaySettings(endpoints={"acme": ACME}, upstreams={"small": Upstream("acme", "small-1")})


def registry(*models, managed_by=MANAGED_BY_API):
    entries = [Entry(EntryKey(EntryKind.MODEL, "", name), settings, managed_by) for name, settings in models]
    return Registry(1, {entry.key: entry for entry in entries})


def callables(connected):
    def connect(upstream):
        connected.append(upstream)
        return ScriptedProvider()

    return Callables(KNOWN, {"small": ScriptedProvider()}, connect)


def test_a_model_of_a_provider_that_is_known_is_called_under_its_name_there():
    connected: list[Upstream] = []
    known = callables(connected)
    known.hear(registry(("new", {"provider": "acme", "upstream": "new-7"}), ("plain", {"provider": "acme"})))
    assert connected == [Upstream("acme", "new-7"), Upstream("acme", "plain")]
    assert (known.providers.keys(), known.owners["new"]) == ({"small", "new", "plain"}, "acme")
    assert known.uncallable == {}


def test_a_model_of_another_provider_is_uncallable_until_it_names_one_that_is_known():
    known = callables([])
    known.hear(registry(("new", {"provider": "globex"}), ("nowhere", {})))
    assert known.uncallable == {"new": "provider", "nowhere": "provider"}
    known.hear(registry(("new", {"provider": "acme"}), ("nowhere", {})))
    assert known.uncallable == {"nowhere": "provider"}


def test_calls_under_way_still_reach_a_model_that_left_or_lost_its_provider():
    connected: list[Upstream] = []
    known = callables(connected)
    known.hear(registry(("new", {"provider": "acme"})))
    before = known.providers["new"]
    known.hear(registry(("new", {"provider": "globex"})))
    assert known.uncallable == {"new": "provider"}
    known.hear(registry())
    known.hear(registry(("new", {"provider": "acme"})))
    assert (known.providers["new"], len(connected), known.uncallable) == (before, 1, {})


def test_models_of_the_configuration_file_are_called_as_it_says():
    connected: list[Upstream] = []
    known = callables(connected)
    known.hear(registry(("small", {"provider": "globex"}), managed_by=MANAGED_BY_FILE))
    assert (known.uncallable, connected) == ({}, [])
