"""How does a registered device get its login at the broker, and lose it?"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from dashboard.device_acts import BrokerError
from homeward.broker_accounts import BrokerAccounts
from homeward.certificates import certificates
from homeward.installation import Addresses
from homeward.local.errors import SetupError
from schemas.certificates import Certificate
from schemas.credentials import Credentials
from schemas.topic import lane_of, receipts_topic, status_topic, topic_of


class DeviceLogins:
    """The logins of devices at this installation's broker.

    Parameters
    ----------
    addresses : Addresses
    user : str, optional
        As whom the private broker is administered; the dashboard has a login of its own for it.
    """

    def __init__(self, addresses: Addresses, user: str | None = None) -> None:
        self._addresses, self._user = addresses, user

    def give(
        self,
        code: str,
        kind: str,
        hubs: Mapping[str, Sequence[str]],
        *,
        certificate: bool = False,
        request: str | None = None,
    ) -> Credentials:
        """Make a login, or give the one there is another password; the old password or certificate is void at once.

        Parameters
        ----------
        hubs : mapping of str to sequence of str
            The devices that each hub speaks for: of the hub itself where it gets the login, and of the device's hub.
        certificate : bool
            Sign in by certificate in place of a password; ``request`` is the device's own request for it (PKCS #10).

        Raises
        ------
        BrokerError
            Where the broker cannot be asked, or refuses; nothing was changed then.
        """
        password = secrets.token_urlsafe(24)
        with self._accounts() as accounts:
            if accounts is None:
                if certificate:
                    raise SetupError(
                        "The broker's certificates are not Homeward's to issue: it is not the private one. Use the "
                        "authority of whoever runs it, with the device's code as the common name."
                    )
                return self._describe(code, kind, None)
            issued = ("", "")
            if certificate:
                if self._addresses.broker is None:
                    raise SetupError("Only the private broker's authority issues certificates; leave it out here.")
                issued = self._addresses.broker.authority.issue(code, request)
            self._add(accounts, code, kind, password, hubs)
            if self._addresses.broker is not None:
                self._addresses.broker.revoke(code, but=issued[0])
        if certificate:
            return self._describe(code, kind, None, certificate=issued[0], key=issued[1] or None)
        return self._describe(code, kind, password)

    def take(self, code: str, hubs: Mapping[str, Sequence[str]]) -> None:
        """Take a device's login and certificates away, where the broker's accounts are ours.

        ``hubs`` says which devices its hub still speaks for.
        """
        with self._accounts() as accounts:
            if accounts is not None:
                if self._addresses.broker is not None:
                    self._addresses.broker.revoke(code)
                for hub, devices in hubs.items():
                    accounts.allow_hub(hub, [topic_of(device) for device in devices])
                accounts.remove(code)

    def certificates(self) -> list[Certificate]:
        """List every certificate that the installation depends on."""
        try:
            return certificates(self._addresses)
        except (SetupError, PermissionError) as failed:
            raise BrokerError(str(failed)) from failed

    @contextmanager
    def _accounts(self) -> Iterator[BrokerAccounts | None]:
        """Open the account administration, and tell the pages what is wrong in their own kind of error."""
        try:
            with self._addresses.accounts(self._user) as accounts:
                yield accounts
        except SetupError as failed:
            raise BrokerError(str(failed)) from failed

    def _add(
        self, accounts: BrokerAccounts, code: str, kind: str, password: str, hubs: Mapping[str, Sequence[str]]
    ) -> None:
        """Make the login known; a hub's reaches the topics of the devices that it speaks for."""
        topics = {hub: [topic_of(device) for device in devices] for hub, devices in hubs.items()}
        if kind == "hub":
            accounts.add_hub(code, password, topics.pop(code, []))
        else:
            accounts.add_device(code, password)
        for hub, its_topics in topics.items():
            accounts.allow_hub(hub, its_topics)

    def _describe(
        self, code: str, kind: str, password: str | None, *, certificate: str | None = None, key: str | None = None
    ) -> Credentials:
        where = self._addresses.hub_address(with_certificate=certificate is not None)
        broker, lane = self._addresses.broker, lane_of(code)
        return Credentials(
            device=code,
            kind=kind,
            lane=lane,
            host=where.host,
            port=where.port,
            tls=self._addresses.hubs_use_tls,
            user=code,
            password=password,
            topic=topic_of(code),
            receipts_topic=receipts_topic(lane, code),
            status_topic=status_topic(lane, code),
            ca_sha256=broker.authority.fingerprint if broker else None,
            ca_certificate=broker.authority.certificate if broker else None,
            certificate=certificate,
            private_key=key,
        )
