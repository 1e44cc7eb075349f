"""Who does a provider of identities (OpenID Connect) say that this is, and may we believe it?

Authorisation code with PKCE. What binds the answer to the browser that asked, the state, the nonce and the verifier,
travels sealed in a cookie of ten minutes; the provider's answer is believed only with the same state, a signature by a
key of the provider, the issuer, our client as audience, the nonce, and within its time. NHS CIS2 and NHS login are such
providers.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

log = logging.getLogger(__name__)
# Asymmetric only: a key that verifies must not be able to sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
LEEWAY_S = 60
ANSWER_WITHIN_S = 10.0
KEPT_S = 3600.0
# A token that names an unknown key makes us look for new keys; no more often than this, whoever sends them.
LOOK_AGAIN_S = 10.0


class ProviderError(Exception):
    """The provider did not vouch for anybody; the message is for the log and names no person."""


@dataclass(frozen=True)
class ProviderSettings:
    """One provider as this installation is registered with it."""

    issuer: str
    client_id: str
    client_secret: str
    name: str = "your organisation"
    scope: str = "openid profile email"
    organisation: str = ""
    """Whose provider it is, by name; where there is only one organisation it need not be said."""


@dataclass(frozen=True)
class Flow:
    """What one sign-in keeps in the browser until the provider sends it back."""

    state: str
    nonce: str
    verifier: str
    target: str


class Provider:
    """Talks to one provider; keeps its published addresses and keys for an hour."""

    def __init__(self, settings: ProviderSettings, clock: Callable[[], float] = time.time) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._known: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._read_at = self._keys_at = float("-inf")
        self._reading = asyncio.Lock()

    @property
    def issuer(self) -> str:
        """The provider's name for itself, under which its subjects mean something."""
        return self._settings.issuer

    @property
    def organisation(self) -> str:
        """The organisation whose people come in through it, by name; empty stands for the only one."""
        return self._settings.organisation

    @property
    def leave_address(self) -> str:
        """Where a person signs out of the provider too; empty where it has no such page or was not asked yet."""
        address = self._known.get("end_session_endpoint", "")
        return f"{address}?{urlencode({'client_id': self._settings.client_id})}" if address else ""

    async def begin(self, redirect_uri: str, target: str) -> tuple[str, Flow]:
        """Give the address at the provider to send the browser to, and what to keep until it is back."""
        known = await self._published()
        flow = Flow(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(32), target)
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self._settings.scope,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": create_s256_code_challenge(flow.verifier),
            "code_challenge_method": "S256",
        }
        separator = "&" if "?" in known["authorization_endpoint"] else "?"
        return f"{known['authorization_endpoint']}{separator}{urlencode(asked)}", flow

    async def finish(self, redirect_uri: str, flow: Flow, code: str, state: str) -> dict[str, Any]:
        """Exchange the code and give what the provider says of the person, checked.

        Raises
        ------
        ProviderError
            Where anything is not as it must be.
        """
        if not secrets.compare_digest(state.encode(), flow.state.encode()):
            raise ProviderError("the state is not the one of this browser")
        if not code:
            raise ProviderError("the provider refused")
        known = await self._published()
        try:
            async with httpx.AsyncClient(timeout=ANSWER_WITHIN_S) as client:
                token = await self._exchange(client, known["token_endpoint"], redirect_uri, flow, code)
                access = str(token.get("access_token", ""))
                claims = await self._checked(str(token.get("id_token", "")), flow.nonce, access)
                return await self._with_userinfo(client, claims, access)
        except (JoseError, httpx.HTTPError, ValueError, TypeError) as exc:
            raise ProviderError(f"the exchange failed: {type(exc).__name__}: {getattr(exc, 'error', '')}") from exc

    async def _exchange(
        self, client: httpx.AsyncClient, address: str, redirect_uri: str, flow: Flow, code: str
    ) -> dict[str, Any]:
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": flow.verifier,
        }
        # RFC 6749 2.3.1: both halves are encoded as a form would be, before they are joined
        login = httpx.BasicAuth(quote_plus(self._settings.client_id), quote_plus(self._settings.client_secret))
        answer = await client.post(address, data=given, auth=login, headers={"Accept": "application/json"})
        answer.raise_for_status()
        found = answer.json()
        if not isinstance(found, dict):
            raise ProviderError("the provider's answer is not a document")
        return found

    async def _checked(self, id_token: str, nonce: str, access_token: str) -> dict[str, Any]:
        token = await self._verified(id_token)
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
            },
            {"nonce": nonce, "client_id": self._settings.client_id, "access_token": access_token},
        )
        claims.validate(now=int(self._clock()), leeway=LEEWAY_S)
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise ProviderError("the token names nobody")
        return dict(token.claims)

    async def _verified(self, id_token: str) -> jwt.Token:
        """Check the signature; where the keys that we have do not fit, look once whether there are new ones."""
        keys = await self._current_keys()
        try:
            return jwt.decode(id_token, keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            fresh = await self._current_keys(newer_than=LOOK_AGAIN_S)
            if fresh is keys:
                raise
            return jwt.decode(id_token, fresh, algorithms=list(ALGORITHMS))

    async def _with_userinfo(
        self, client: httpx.AsyncClient, claims: dict[str, Any], access_token: str
    ) -> dict[str, Any]:
        address = self._known.get("userinfo_endpoint")
        if not address or not access_token:
            return claims
        answer = await client.get(address, headers={"Authorization": f"Bearer {access_token}"})
        answer.raise_for_status()
        more = answer.json()
        # OpenID Connect Core 5.3.2: of somebody else it must not be used
        if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
            raise ProviderError("the user information is about somebody else")
        return more | claims

    async def _published(self) -> dict[str, Any]:
        async with self._reading:
            if self._clock() - self._read_at > KEPT_S:
                found = await self._get(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
                if found.get("issuer") != self.issuer:
                    raise ProviderError("the provider calls itself otherwise than the settings do")
                missing = {"authorization_endpoint", "token_endpoint", "jwks_uri"} - set(found)
                if missing:
                    raise ProviderError(f"the provider does not say its {', '.join(sorted(missing))}")
                self._known, self._read_at = found, self._clock()
            return self._known

    async def _current_keys(self, newer_than: float = KEPT_S) -> KeySet:
        known = await self._published()
        async with self._reading:
            if self._keys is None or self._clock() - self._keys_at > newer_than:
                found = await self._get(known["jwks_uri"])
                try:
                    self._keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as exc:
                    raise ProviderError(f"the provider's keys cannot be read: {type(exc).__name__}") from exc
                self._keys_at = self._clock()
            return self._keys

    async def _get(self, address: str) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=ANSWER_WITHIN_S) as client:
                answer = await client.get(address)
                answer.raise_for_status()
                found = answer.json()
        except (httpx.HTTPError, ValueError) as exc:
            raise ProviderError(f"the provider does not answer: {type(exc).__name__}") from exc
        if not isinstance(found, dict):
            raise ProviderError("the provider's answer is not a document")
        return found
