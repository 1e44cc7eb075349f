"""A provider of identities (OpenID Connect) as a process of its own: real keys, codes that are good once, PKCE.

Run as a module; it prints its address. Over ``/control`` a test says who signs in next and what it does wrong.
"""

from __future__ import annotations

import base64
import secrets
import socket
import time
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import uvicorn
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT, SECRET = "homeward-test", "a secret: with/odd+signs"


class Provider:
    """What the provider knows, and what it was told to do wrong."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.keys = [_key()]
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.who: dict[str, Any] = {"sub": "subject-1", "name": "Ngozi Eze"}
        self.faults: dict[str, Any] = {}

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "sub": self.who["sub"],
        }
        claims |= self.faults.get("claims", {})
        if "exp_in" in self.faults:
            claims["exp"] = now + int(self.faults["exp_in"])
        for name in self.faults.get("without", []):
            del claims[name]
        how = self.faults.get("signed")
        if how == "none":
            head, body = (base64.urlsafe_b64encode(str(part).replace("'", '"').encode()).decode().rstrip("=")
                          for part in ({"alg": "none"}, claims))  # fmt: skip
            return f"{head}.{body}."
        if how == "public key as secret":
            known = OctKey.import_key(self.keys[-1].as_pem(private=False))
            return jwt.encode({"alg": "HS256", "kid": self.keys[-1].kid}, claims, known, algorithms=["HS256"])
        key = _key() if how == "stranger" else self.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": self.keys[-1].kid}, claims, key)


def _key() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", "kid": secrets.token_hex(4), "alg": "RS256"}, private=True)


class Routes:
    """What the provider answers."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def configuration(self) -> dict[str, str]:
        """Say where everything is."""
        at = self.provider.issuer
        return {
            "issuer": self.provider.faults.get("calls_itself", at),
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "userinfo_endpoint": f"{at}/userinfo",
            "jwks_uri": f"{at}/keys",
            "end_session_endpoint": f"{at}/leave",
        }

    def keys(self) -> dict[str, Any]:
        """Give the public keys."""
        return dict(KeySet(self.provider.keys).as_dict(private=False))

    def authorize(self, request: Request) -> Response:
        """Send the browser back with a code, which is good once."""
        asked = dict(request.query_params)
        wrong = (
            asked.get("client_id") != CLIENT
            or asked.get("response_type") != "code"
            or asked.get("code_challenge_method") != "S256"
            or "openid" not in asked.get("scope", "").split()
            or not asked.get("redirect_uri", "").endswith("/sign-in/provider/back")
            or not asked.get("nonce")
        )
        if wrong:
            return JSONResponse({"error": "invalid_request"}, 400)
        if self.provider.faults.get("refuses"):
            answer = {"error": "access_denied", "state": asked["state"]}
            return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)
        code = secrets.token_urlsafe(16)
        self.provider.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def token(self, request: Request) -> Response:
        """Exchange a code for tokens."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        if kind != "Basic" or (unquote_plus(user), unquote_plus(password)) != (CLIENT, SECRET):
            return JSONResponse({"error": "invalid_client"}, 401)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.provider.codes.pop(form.get("code", ""), None)
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or create_s256_code_challenge(form.get("code_verifier", "")) != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe(16)
        self.provider.tokens[access] = dict(self.provider.who)
        content = {"access_token": access, "token_type": "Bearer", "id_token": self.provider.id_token(asked["nonce"])}
        return JSONResponse(content)

    def userinfo(self, request: Request) -> Response:
        """Say more of whoever has the token."""
        found = self.provider.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if found is None:
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse(found | self.provider.faults.get("userinfo", {}))

    def control(self, told: dict[str, Any]) -> dict[str, str]:
        """Take from a test who signs in next and what goes wrong."""
        self.provider.who = told.get("who", self.provider.who)
        self.provider.faults = told.get("faults", {})
        if told.get("rotate"):
            self.provider.keys = [_key()]
        return {"done": "yes"}


def make_app(provider: Provider) -> FastAPI:
    """Put each answer at its address."""
    app, routes = FastAPI(), Routes(provider)
    app.get("/.well-known/openid-configuration")(routes.configuration)
    app.get("/keys")(routes.keys)
    app.get("/authorize")(routes.authorize)
    app.post("/token")(routes.token)
    app.get("/userinfo")(routes.userinfo)
    app.post("/control")(routes.control)
    return app


def main() -> None:
    """Serve until killed."""
    listener = socket.create_server(("127.0.0.1", 0))
    issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(issuer, flush=True)
    config = uvicorn.Config(make_app(Provider(issuer)), log_level="error")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
