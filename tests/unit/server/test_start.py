"""What a server says of its configuration when it starts."""

import io
import json
import socket
from pathlib import Path

import pytest

from server.config import load
from server.listening import StartError
from server.logs import logger
from server.main import run

MODEL = '[[models]]\nid = "{0}"\nprovider = "{0}"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'


def logged(folder: Path, text: str) -> list[tuple[str, ...]]:
    """Level, model, reason, provider and advice of models that a server warns of, which then finds its port taken."""
    stream = io.StringIO()
    (folder / "routeward.toml").write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = load(folder / "routeward.toml", {"OPENAI_API_KEY": "sk-canary"}, listen=listen)
        with pytest.raises(StartError, match="cannot listen"):
            run(settings, logger(stream))
    assert "canary" not in stream.getvalue()
    events = map(json.loads, stream.getvalue().splitlines())
    return [
        (one["level"], one["model"], one["reason"], one["provider"], one["advice"])
        for one in events
        if one["event"] == "not_callable"
    ]


def test_models_that_cannot_be_called_are_warned_of(tmp_path: Path) -> None:
    models = "".join(map(MODEL.format, ("openai", "groq", "own")))
    assert logged(tmp_path, '[gateway]\nlisten = "127.0.0.1:0"\n' + models) == [
        ("warning", "groq", "provider_key", "groq", "set GROQ_API_KEY"),
        ("warning", "own", "provider", "own", "add  [providers.own]  with format and base_url"),
    ]


def test_without_a_gateway_nobody_is_warned(tmp_path: Path) -> None:
    assert logged(tmp_path, MODEL.format("groq")) == []
