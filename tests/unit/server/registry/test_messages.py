"""Entries and edits of the registry as messages."""

import pytest

from adapters.registry import Audited, EntryKey, EntryKind
from server.registry.messages import audit_entry

CHAT = EntryKey(EntryKind.CATEGORY, "acme", "chat")


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [(None, {}, "create"), ({}, {}, "update"), ({}, None, "delete"), (None, None, "delete")],
)
def test_an_edit_is_told_as_what_it_did_also_where_only_the_name_is_known(before, after, action):
    assert audit_entry(Audited(4, 9, "", CHAT, before, after)).action == action
