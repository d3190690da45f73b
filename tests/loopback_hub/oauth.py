"""Signing in at the loopback Hub: an OpenID provider as a Space with `hf_oauth` meets it, the consent page included."""

import base64
import html
import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.loopback_hub.server import base_url, users
from tests.loopback_hub.store import Refusal, User

SECONDS = 8 * 3600
SCOPES = ("openid", "profile", "read-repos")

router = APIRouter()
key = RSAKey.generate_key(2048, parameters={"kid": "loopback", "use": "sig"})


@dataclass(frozen=True)
class Grant:
    """What somebody has agreed to, waiting to be exchanged for a token."""

    user: User
    client: str
    redirect: str
    scope: str
    nonce: str


grants: dict[str, Grant] = {}  # by code


@router.get("/.well-known/openid-configuration")
async def configuration(request: Request) -> dict[str, Any]:
    here = base_url(request)
    return {
        "issuer": here,
        "authorization_endpoint": f"{here}/oauth/authorize",
        "token_endpoint": f"{here}/oauth/token",
        "userinfo_endpoint": f"{here}/oauth/userinfo",
        "jwks_uri": f"{here}/oauth/jwks",
        "response_types_supported": ["code"],
        "scopes_supported": SCOPES,
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


@router.get("/oauth/jwks")
async def jwks() -> Any:
    return KeySet([key]).as_dict(private=False)


@router.get("/oauth/authorize")
async def authorize(
    client_id: str, redirect_uri: str, response_type: str, scope: str, state: str, nonce: str = ""
) -> HTMLResponse:
    """Ask who it is and whether they agree; the real Hub knows the first from its own cookie."""
    if response_type != "code" or not set(scope.split()) <= set(SCOPES):
        raise Refusal(400, "This provider hands out codes, for scopes that it has")
    kept = {"client_id": client_id, "redirect_uri": redirect_uri, "scope": scope, "state": state, "nonce": nonce}
    hidden = "".join(f'<input type="hidden" name="{name}" value="{html.escape(text)}">' for name, text in kept.items())
    names = sorted({user.name for user in users.values()})
    buttons = "".join(f'<button name="user" value="{name}">Authorize as {name}</button>' for name in names)
    return HTMLResponse(f'<form method="post" action="/oauth/agreed">{hidden}{buttons}</form>')


@router.post("/oauth/agreed")
async def agreed(
    user: Annotated[str, Form()],
    client_id: Annotated[str, Form()],
    redirect_uri: Annotated[str, Form()],
    scope: Annotated[str, Form()],
    state: Annotated[str, Form()],
    nonce: Annotated[str, Form()] = "",
) -> RedirectResponse:
    code = secrets.token_urlsafe(16)
    found = next(one for one in users.values() if one.name == user)
    grants[code] = Grant(found, client_id, redirect_uri, scope, nonce)
    joint = "&" if "?" in redirect_uri else "?"
    return RedirectResponse(redirect_uri + joint + urlencode({"code": code, "state": state}), 302)


@router.post("/oauth/token")
async def token(
    request: Request,
    grant_type: Annotated[str, Form()],
    code: Annotated[str, Form()],
    redirect_uri: Annotated[str, Form()],
) -> dict[str, Any]:
    """A token that reads what the user may read, for the client that they agreed to, once."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    client, _, secret = base64.b64decode(encoded).decode().partition(":")
    grant = grants.pop(code, None)
    if scheme != "Basic" or not secret or grant_type != "authorization_code" or grant is None:
        raise Refusal(400, "invalid_grant")
    if (grant.client, grant.redirect) != (client, redirect_uri):
        raise Refusal(400, "invalid_grant")
    given = f"hf_oauth_{secrets.token_urlsafe(24)}"
    users[given] = User(grant.user.name, False, grant.user.spaces)
    now = int(time.time())
    claims = {
        "iss": base_url(request),
        "aud": client,
        "iat": now,
        "exp": now + SECONDS,
        "nonce": grant.nonce,
        **profile(grant.user),
    }
    return {
        "access_token": given,
        "token_type": "bearer",
        "expires_in": SECONDS,
        "scope": grant.scope,
        "id_token": jwt.encode({"alg": "RS256", "kid": "loopback"}, claims, key),
    }


def profile(user: User) -> dict[str, str]:
    page = f"https://huggingface.co/{user.name}"
    picture = f"{page}/avatar.png"
    return {"sub": user.name, "name": user.name, "preferred_username": user.name, "profile": page, "picture": picture}
