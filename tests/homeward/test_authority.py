"""Does the authority make certificates that last, renew what ends, and sign for nobody's key but the one that asks?"""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from homeward.local.authority import RENEWED_BEFORE, Authority, Issued, names_of_this_machine
from homeward.local.errors import SetupError


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "authority")
    made.ensure()
    return made


def request_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def name_in(pem: str) -> str:
    return str(x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string())


def test_it_is_made_once_and_its_files_are_its_own(authority: Authority, tmp_path: Path) -> None:
    first = authority.fingerprint
    authority.ensure()
    assert authority.fingerprint == first
    for secret in (tmp_path / "authority").rglob("*.key"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "authority").stat().st_mode) == 0o700


def test_a_server_is_certified_under_every_name_and_again_only_when_it_must(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = names_of_this_machine("hub.example.nhs.uk")
    assert names[0] == "hub.example.nhs.uk"
    assert {"localhost", "127.0.0.1"} <= set(names)
    made = authority.server_certificate("", names)
    assert made is not None
    found = x509.load_pem_x509_certificate(made.certificate.encode())
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.encode()))
    assert authority.server_certificate(made.certificate, names) is None
    assert authority.server_certificate(made.certificate, [*names, "another.example.nhs.uk"]) is not None
    assert authority.server_certificate("cut short", names) is not None
    nearly = found.not_valid_after_utc - datetime.now(UTC) + timedelta(minutes=1)
    monkeypatch.setattr("homeward.local.authority.RENEWED_BEFORE", nearly)
    assert nearly > RENEWED_BEFORE
    renewed = authority.server_certificate(made.certificate, names)
    assert isinstance(renewed, Issued)
    assert renewed.key != made.key


def test_another_authority_s_certificate_is_not_kept(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.ensure()
    made = other.server_certificate("", ["localhost"])
    assert made is not None
    assert other.server_certificate(made.certificate, ["localhost"]) is None
    assert authority.server_certificate(made.certificate, ["localhost"]) is not None


def test_a_device_s_own_key_is_certified_under_the_device_s_code_whatever_it_asks_for(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = authority.issue("cuff-7", request_of(key, "homeward-ingest"))
    assert made.key == ""
    assert name_in(made.certificate) == "CN=cuff-7"
    certified = x509.load_pem_x509_certificate(made.certificate.encode()).public_key()
    assert certified == key.public_key()


@pytest.mark.parametrize("request_text", ["", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", "\0"])
def test_what_is_no_request_is_refused_with_what_would_be(authority: Authority, request_text: str) -> None:
    with pytest.raises(SetupError, match="openssl req"):
        authority.issue("cuff-7", request_text or "nothing")


def test_a_request_with_another_kind_of_key_is_refused(authority: Authority) -> None:
    key = rsa.generate_private_key(65537, 2048)
    with pytest.raises(SetupError, match="elliptic curve"):
        authority.issue("cuff-7", request_of(key, "cuff-7"))


def test_revoking_spares_the_new_certificate_and_other_devices(authority: Authority) -> None:
    old, new, other = authority.issue("cuff-7"), authority.issue("cuff-7"), authority.issue("cuff-77")
    assert authority.revoke("cuff-7", but=new.certificate)
    assert not authority.revoke("cuff-7", but=new.certificate)
    assert not authority.revoke("cuff-8")
    revoked = {entry.serial_number for entry in x509.load_pem_x509_crl(authority.revoked.encode())}
    serials = [x509.load_pem_x509_certificate(i.certificate.encode()).serial_number for i in (old, new, other)]
    assert revoked == {serials[0]}
    assert authority.revoke("cuff-7")
    assert len(list(x509.load_pem_x509_crl(authority.revoked.encode()))) == 2
