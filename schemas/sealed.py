"""How is a secret taken in by a page that must never be able to show it again?

It is sealed for the notifiers' public key: an ephemeral X25519 key agrees with it on a key for ChaCha20-Poly1305, as in
libsodium's sealed boxes. Whoever sealed it cannot open it, and a copy of the database cannot either; the private half
lies in a file of the notifiers' own.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_INFO = b"homeward sealed secret 1"
# every sealing has a key of its own, which is used once
_NONCE = bytes(12)


class SealError(Exception):
    """What was sealed cannot be opened: for another key, or changed since."""


def new_private_key() -> bytes:
    """Make the half that opens."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_key(private: bytes) -> bytes:
    """Give the half that seals."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal(public: bytes, secret: str) -> bytes:
    """Seal a text for whoever has the private half."""
    ephemeral = X25519PrivateKey.generate()
    own = ephemeral.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    cipher = _cipher(ephemeral.exchange(X25519PublicKey.from_public_bytes(public)), own + public)
    return own + cipher.encrypt(_NONCE, secret.encode(), None)


def unseal(private: bytes, sealed: bytes) -> str:
    """Open it; raises `SealError`."""
    own, body = sealed[:KEY_BYTES], sealed[KEY_BYTES:]
    try:
        key = X25519PrivateKey.from_private_bytes(private)
        shared = key.exchange(X25519PublicKey.from_public_bytes(own))
        return _cipher(shared, own + public_key(private)).decrypt(_NONCE, body, None).decode()
    except (InvalidTag, ValueError) as exc:
        raise SealError("sealed for another key, or changed since") from exc


def _cipher(shared: bytes, both: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(hashes.SHA256(), KEY_BYTES, both, _INFO).derive(shared))
