"""Who vouches for the private broker towards hubs, and for devices towards the broker?

A certificate authority of the installation's own, made at the first start. It signs the broker's certificate, which is
renewed at a start before it ends, and those of devices that sign in without a password; the list of revoked ones is
what the broker asks. Its key never leaves its folder, which the broker's own account cannot enter.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psutil
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homeward.local.errors import SetupError

AUTHORITY_LASTS = timedelta(days=3650)
SERVER_LASTS = timedelta(days=397)
DEVICE_LASTS = timedelta(days=730)
RENEWED_BEFORE = timedelta(days=60)
"""A server's certificate that ends sooner than this is replaced at a start."""
_BACKDATED = timedelta(hours=1)
"""A hub whose clock is a little behind takes the certificate all the same."""
_CURVE = ec.SECP256R1


class Issued(NamedTuple):
    """A certificate and its key, as PEM; the key is empty where its owner made it."""

    certificate: str
    key: str


class Authority:
    """One folder with the authority's key and certificate, what it issued, and what it revoked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key, self._certificate = folder / "ca.key", folder / "ca.crt"
        self._revoked = folder / "revoked.pem"
        self._issued = folder / "issued"

    @property
    def certificate(self) -> str:
        """The authority's certificate as PEM: what a hub must trust."""
        return _read(self._certificate)

    @property
    def revoked(self) -> str:
        """The list of revoked certificates as PEM."""
        return _read(self._revoked)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the authority's certificate, in hexadecimal."""
        return fingerprint_of(self.certificate)

    def ensure(self) -> None:
        """Make the authority where there is none."""
        for folder in (self._folder, self._issued):
            folder.mkdir(mode=0o700, exist_ok=True)
        with self._alone():
            if not self._certificate.exists():
                key = ec.generate_private_key(_CURVE())
                _write(self._key, _key_pem(key))
                _write(self._certificate, _self_signed(key))
            if not self._revoked.exists():
                self._sign_list([])

    def server_certificate(self, present: str, names: list[str]) -> Issued | None:
        """Issue a certificate for the broker under these names; None where the present one will do."""
        with contextlib.suppress(ValueError, InvalidSignature):
            found = x509.load_pem_x509_certificate(present.encode())
            lasts = found.not_valid_after_utc - datetime.now(UTC) > RENEWED_BEFORE
            found.verify_directly_issued_by(self._own())
            if lasts and _names_in(found) >= set(names):
                return None
        key = ec.generate_private_key(_CURVE())
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        made = self._sign(names[0], key.public_key(), SERVER_LASTS, usage, alternatives)
        return Issued(_certificate_pem(made), _key_pem(key))

    def issue(self, code: str, request: str | None = None) -> Issued:
        """Issue a certificate by which a device signs in, for its own key where it sends a request (PKCS #10)."""
        key = None if request else ec.generate_private_key(_CURVE())
        public = key.public_key() if key else _requested_key(request or "", code)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        made = self._sign(code, public, DEVICE_LASTS, usage, None)
        pem = _certificate_pem(made)
        _write(self._issued / f"{code}@{made.serial_number:x}.crt", pem)
        return Issued(pem, _key_pem(key) if key else "")

    def in_use(self) -> Iterator[tuple[str, str]]:
        """Give the certificates of devices that were not revoked: the device's code, and the PEM."""
        gone = {entry.serial_number for entry in x509.load_pem_x509_crl(self.revoked.encode())}
        for path in sorted(self._issued.glob("*.crt")):
            code, _, serial = path.stem.rpartition("@")
            if int(serial, 16) not in gone:
                yield code, _read(path)

    def revoke(self, code: str, *, but: str = "") -> bool:
        """Revoke every certificate of a device, except one given as PEM; say whether there was any."""
        with self._alone():
            old = x509.load_pem_x509_crl(self.revoked.encode())
            gone = {entry.serial_number for entry in old}
            spared = {x509.load_pem_x509_certificate(but.encode()).serial_number} if but else set()
            mine = {int(path.stem.rpartition("@")[2], 16) for path in self._issued.glob(f"{code}@*.crt")}
            fresh = mine - gone - spared
            if fresh:
                self._sign_list([*old, *(_revoked(serial) for serial in sorted(fresh))])
        return bool(fresh)

    def _sign(
        self,
        name: str,
        public: ec.EllipticCurvePublicKey,
        lasts: timedelta,
        usage: x509.ExtendedKeyUsage,
        alternatives: x509.SubjectAlternativeName | None,
    ) -> x509.Certificate:
        authority, now = self._own(), datetime.now(UTC)
        identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateBuilder()
            .subject_name(_called(name))
            .issuer_name(authority.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(min(now + lasts, authority.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._own_key(), hashes.SHA256())

    def _sign_list(self, entries: list[x509.RevokedCertificate]) -> None:
        """Sign the list anew; it lasts as long as the authority, for an ended one would shut every device out."""
        authority, now = self._own(), datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.subject)
            .last_update(now)
            .next_update(authority.not_valid_after_utc)
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        signed = builder.sign(self._own_key(), hashes.SHA256())
        _write(self._revoked, signed.public_bytes(serialization.Encoding.PEM).decode())

    def _own(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate.encode())

    def _own_key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(_read(self._key).encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder: two that revoke at once must not lose each other's entries."""
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def fingerprint_of(pem: str) -> str:
    """Give the SHA-256 of a certificate, in hexadecimal."""
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()


def names_of_this_machine(public: str) -> list[str]:
    """List the names and addresses under which hubs may reach this machine, the public one first."""
    own = [socket.gethostname(), "localhost"]
    addresses = [
        address.address.partition("%")[0]
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in (socket.AF_INET, socket.AF_INET6)
    ]
    return list(dict.fromkeys([public, *own, "127.0.0.1", *addresses]))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as failed:
        raise SetupError(f"{path} cannot be read ({failed.strerror}); start the installation first.") from failed


def _write(path: Path, text: str) -> None:
    """Write a file that this account alone may read, whole or not at all."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    draft.replace(path)


def _self_signed(key: ec.EllipticCurvePrivateKey) -> str:
    now, name = datetime.now(UTC), _called(f"Homeward authority of {socket.gethostname()}"[:64])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _certificate_pem(made)


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_in(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))}


def _requested_key(request: str, code: str) -> ec.EllipticCurvePublicKey:
    try:
        found = x509.load_pem_x509_csr(request.encode())
        public = found.public_key()
        usable = found.is_signature_valid and isinstance(public, ec.EllipticCurvePublicKey)
    except (ValueError, UnsupportedAlgorithm):
        usable = False
    if not usable:
        raise SetupError(
            f"The certificate request for {code} cannot be used; expected PKCS #10 in PEM with a key on an elliptic "
            f"curve, as `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN={code}` makes it."
        )
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return public


def _revoked(serial: int) -> x509.RevokedCertificate:
    return x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(datetime.now(UTC)).build()


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    private, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, private, none).decode()
