"""Who is asking: a visitor's own token for the Hub, where they have signed in."""

from __future__ import annotations

import os
from time import time
from typing import TYPE_CHECKING, Any, Final

from gradio.context import LocalContext
from gradio.utils import get_space

if TYPE_CHECKING:
    from facekit.hub import Token

SIGN_IN: Final = get_space() is not None and "OAUTH_CLIENT_ID" in os.environ
"""Whether visitors can sign in to the Hub here: on a Space whose README says `hf_oauth: true`."""


def token_of_visitor() -> Token:
    """What to ask the Hub with for the request that is being answered.

    On a Space that is the visitor's own token if they are signed in, else none: the Space's own would open its owner's
    private repositories to everybody. On one's own machine it is one's own, from the environment.
    """
    if "SPACE_ID" not in os.environ:
        return None
    token = _signed_in().get("access_token")
    return str(token) if token else False


def name_of_visitor() -> str | None:
    """The user name with which the request that is being answered is signed in; `None` without that."""
    name = (_signed_in().get("userinfo") or {}).get("preferred_username")
    return str(name) if name else None


def _signed_in() -> dict[str, Any]:
    """What Gradio keeps of a visitor who has signed in, while that lasts."""
    request = LocalContext.request.get(None)
    scope: dict[str, Any] = getattr(getattr(request, "request", request), "scope", None) or {}
    info: dict[str, Any] = (scope.get("session") or {}).get("oauth_info") or {}
    return info if info.get("expires_at", 0) > time() else {}
