"""Checkpoints on the Hub that the tab *Models* offers: of an organisation or a collection, and their pull requests."""

from __future__ import annotations

import os
from typing import Any, Final

from facekit.errors import CheckpointNotFound
from facekit.hub import ask_hub
from facekit.ui.visitor import token_of_visitor

SOURCE: Final = "FACEKIT_HUB"
"""The environment variable that names an organisation, `name`, or a collection, `owner/title-0123456789abcdef`."""

_MOST: Final = 60


def listed() -> list[dict[str, Any]]:
    """What the configured organisation or collection offers, `{"name", "likes", "updated"}`; empty where none is.

    Raises:
        HubUnreachable, CheckpointNotFound: as `ask_hub`, or it offers nothing.
    """
    source = os.environ.get(SOURCE, "").strip()
    if not source:
        return []
    if "/" in source:
        collection = ask_hub(source, lambda api: api.get_collection(source), token_of_visitor())
        found: list[tuple[str, Any]] = [(item.item_id, item) for item in collection.items if item.item_type == "model"]
    else:
        models = ask_hub(
            source, lambda api: list(api.list_models(author=source, filter="facekit", limit=_MOST)), token_of_visitor()
        )
        found = [(model.id, model) for model in models]
    if not found:
        raise CheckpointNotFound(f"{SOURCE} is {source}, which has no checkpoint of facekit: check its name.")
    return [
        {"name": name, "likes": getattr(one, "likes", None) or 0, "updated": _day(one)} for name, one in found[:_MOST]
    ]


def pull_requests(repository: str) -> list[dict[str, Any]]:
    """The open pull requests of a repository, the newest first: `{"name", "number", "title", "author", "opened"}`.

    Raises:
        HubUnreachable, CheckpointNotFound: as `ask_hub`.
    """
    found = ask_hub(
        repository,
        lambda api: list(
            api.get_repo_discussions(repository, discussion_type="pull_request", discussion_status="open")
        ),
        token_of_visitor(),
    )
    return [
        {
            "name": f"{repository}@refs/pr/{pull.num}",
            "number": pull.num,
            "title": pull.title[:200],
            "author": pull.author[:60],
            "opened": pull.created_at.date().isoformat(),
        }
        for pull in found[:20]
    ]


def _day(model: Any) -> str:
    at = getattr(model, "last_modified", None)
    return at.date().isoformat() if at else ""
