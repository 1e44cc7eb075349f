"""Who may sign in, and how: the JSON interface to `dashboard.people` and the modules beside it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from dashboard import on_call_contacts, own_account, people, second_factor, sign_in_rules, store
from dashboard.actions import InvalidActionError
from dashboard.api import account_models as models
from dashboard.api import paging
from dashboard.api.message_models import Contact, ContactId, NewContact
from dashboard.api.models import Page
from dashboard.api.paging import After, Limit
from dashboard.api.rights import allowed
from dashboard.auth import SignIn
from dashboard.identity import current
from dashboard.people import Entitlement, Link
from dashboard.permissions import Permission
from dashboard.second_factor import Answer

AccountId = Annotated[int, Path(ge=1, le=2**31 - 1)]
RuleId = Annotated[int, Path(ge=1, le=2**31 - 1)]
SessionId = Annotated[int, Path(ge=1, le=2**63 - 1)]


def routes(sign_in: SignIn) -> APIRouter:
    """Make the routes: everybody's own account, and all accounts for administrators."""
    router = APIRouter()
    router.include_router(_own_sign_ins(sign_in))
    router.include_router(_own_second_factor(sign_in))
    for part in (_people, _ways_in, _rules):
        router.include_router(part(), tags=["accounts"], dependencies=[allowed(Permission.MANAGE_ACCOUNTS)])
    return router


def _own_sign_ins(sign_in: SignIn) -> APIRouter:
    router = APIRouter(tags=["own account"])

    @router.put("/me/password", status_code=204, response_class=Response)
    async def change_password(given: models.PasswordChange) -> Response:
        """Change your password; your other sign-ins end."""
        await own_account.change_own_password(sign_in.passwords, given.current, given.new)
        return Response(status_code=204)

    @router.get("/me/sessions")
    async def sessions() -> list[models.SessionSummary]:
        """List where you are signed in."""
        names = models.SessionSummary.model_fields
        return [models.SessionSummary(**{n: row[n] for n in names}) for row in await own_account.own_sessions()]

    @router.delete("/me/sessions/{session_id}", status_code=204, response_class=Response)
    async def end_session(session_id: SessionId) -> Response:
        """End one of your sign-ins."""
        await own_account.end_own_session(session_id)
        return Response(status_code=204)

    return router


def _own_second_factor(sign_in: SignIn) -> APIRouter:
    router = APIRouter(tags=["own account"])

    @router.post("/me/second-factor", status_code=201)
    async def begin_second_factor(given: models.PasswordConfirmation) -> models.SecondFactorSecret:
        """Begin to enrol an authenticator app: the secret, until its first code is confirmed it asks nothing of you."""
        await own_account.confirm_password(sign_in.passwords, given.current)
        async with store.transaction() as connection:
            name = await own_account.own_sign_in(connection)
            enrolment = await sign_in.factor.begin(connection, current(), name)
        if enrolment is None:
            raise InvalidActionError("You have a second factor already; remove it first.")
        return models.SecondFactorSecret(secret=enrolment.secret.replace(" ", ""))

    @router.post("/me/second-factor/confirmation", status_code=201)
    async def confirm_second_factor(given: models.Code) -> models.RecoveryCodes:
        """Confirm with the app's first code; from now on sign-in asks for one."""
        async with store.transaction() as connection:
            answer, codes = await sign_in.factor.confirm(connection, current(), given.code)
        if answer is not Answer.RIGHT:
            raise InvalidActionError("That code is not right, or was used already.")
        return models.RecoveryCodes(recovery_codes=codes)

    @router.post("/me/second-factor/removal", status_code=204, response_class=Response)
    async def remove_second_factor(given: models.PasswordConfirmation) -> Response:
        """Take your second factor away, where your role does not need one."""
        await own_account.confirm_password(sign_in.passwords, given.current)
        async with store.transaction() as connection:
            await second_factor.remove_own(connection, current())
        return Response(status_code=204)

    return router


def _people() -> APIRouter:
    router = APIRouter()

    @router.get("/accounts")
    async def accounts(
        search: Annotated[str, Query(max_length=100, description="part of the name or the sign-in name")] = "",
        role: models.RoleWord | None = None,
        disabled: Annotated[bool, Query(description="disabled accounts as well")] = False,
        limit: Limit = 100,
        after: After = None,
    ) -> Page[models.AccountSummary]:
        """List accounts by name."""
        name, number = paging.read(after, paging.text, paging.number)
        rows = await people.accounts(search, role, disabled=disabled, limit=limit + 1, after=(name, number))
        return Page(
            items=[_summary(row) for row in rows[:limit]], next=paging.next_of(rows, limit, "name", "account_id")
        )

    @router.post("/accounts", status_code=201)
    async def add(given: models.NewAccount) -> models.PasswordLink:
        """Make an account; its person chooses a password by the link."""
        number, link = await people.add(given.sign_in, given.name, _entitlement(given))
        return _link(number, link)

    @router.get("/accounts/{account_id}")
    async def account(account_id: AccountId) -> models.AccountSummary:
        """Give one account."""
        return _summary(await people.account(account_id))

    @router.put("/accounts/{account_id}", status_code=204, response_class=Response)
    async def change(account_id: AccountId, given: models.Rights) -> Response:
        """Change name, role and sites; where rights change, the sessions end."""
        await people.change(account_id, given.name, _entitlement(given))
        return Response(status_code=204)

    @router.post("/accounts/{account_id}/disabling", status_code=204, response_class=Response)
    async def disable(account_id: AccountId) -> Response:
        """Let nobody sign in to the account any more."""
        await people.disable(account_id)
        return Response(status_code=204)

    @router.delete("/accounts/{account_id}/disabling", status_code=204, response_class=Response)
    async def enable(account_id: AccountId) -> Response:
        """Let the account be signed in to again."""
        await people.enable(account_id)
        return Response(status_code=204)

    return router


def _ways_in() -> APIRouter:
    router = APIRouter()

    @router.post("/accounts/{account_id}/password-link", status_code=201)
    async def make_link(account_id: AccountId) -> models.PasswordLink:
        """Make a link to choose a password; earlier ones are void."""
        return _link(account_id, await people.make_link(account_id))

    @router.delete("/accounts/{account_id}/second-factor", status_code=204, response_class=Response)
    async def reset_second_factor(account_id: AccountId) -> Response:
        """Take the account's second factor away."""
        await people.reset_second_factor(account_id)
        return Response(status_code=204)

    @router.post("/accounts/{account_id}/identities", status_code=204, response_class=Response)
    async def link_identity(account_id: AccountId, given: models.Identity) -> Response:
        """Let somebody whom a provider knows sign in to the account."""
        await people.link_identity(account_id, given.issuer, given.subject)
        return Response(status_code=204)

    @router.delete("/accounts/{account_id}/identities", status_code=204, response_class=Response)
    async def unlink(account_id: AccountId) -> Response:
        """Let nobody sign in to the account through a provider any more."""
        await people.unlink_identities(account_id)
        return Response(status_code=204)

    @router.get("/accounts/{account_id}/contacts")
    async def contacts(account_id: AccountId) -> list[Contact]:
        """List where somebody is told of alerts."""
        names = Contact.model_fields
        return [Contact(**{n: row[n] for n in names}) for row in await on_call_contacts.listed(account_id)]

    @router.post("/accounts/{account_id}/contacts", status_code=201)
    async def vouch(account_id: AccountId, given: NewContact) -> ContactId:
        """Enter an address of somebody and vouch for it; a test message goes there at once."""
        return ContactId(contact_id=await on_call_contacts.vouch(account_id, given.kind, given.address))

    @router.delete("/accounts/{account_id}/contacts/{contact_id}", status_code=204, response_class=Response)
    async def remove_contact(account_id: AccountId, contact_id: RuleId) -> Response:
        """Forget an address of somebody."""
        await on_call_contacts.remove(account_id, contact_id)
        return Response(status_code=204)

    return router


def _rules() -> APIRouter:
    router = APIRouter()

    @router.get("/sign-in-rules")
    async def rules() -> list[models.Rule]:
        """List who of a provider gets an account at the first sign-in."""
        names = models.Rule.model_fields
        return [models.Rule(**{n: row[n] for n in names}) for row in (await sign_in_rules.read())[1]]

    @router.post("/sign-in-rules", status_code=201)
    async def add_rule(given: models.NewRule) -> models.Rule:
        """Add a rule."""
        number = await sign_in_rules.add_rule(given.issuer, given.claim, given.value, given.role, given.site_id)
        return models.Rule(rule_id=number, **given.model_dump())

    @router.delete("/sign-in-rules/{rule_id}", status_code=204, response_class=Response)
    async def remove_rule(rule_id: RuleId) -> Response:
        """Take a rule away; accounts that it made stay."""
        await sign_in_rules.remove_rule(rule_id)
        return Response(status_code=204)

    @router.get("/second-factor-roles")
    async def second_factor_roles() -> models.RoleList:
        """Say which roles need a second factor."""
        roles: Any = (await sign_in_rules.read())[0]
        return models.RoleList(roles=roles)

    @router.put("/second-factor-roles", status_code=204, response_class=Response)
    async def require_second_factor(given: models.RoleList) -> Response:
        """Ask a second factor of these roles; who has none enrols one at the next sign-in."""
        await sign_in_rules.require_second_factor(given.roles)
        return Response(status_code=204)

    return router


def _entitlement(given: models.Rights) -> Entitlement:
    return Entitlement(given.role, None if given.sites is None else tuple(given.sites))


def _link(account_id: int, link: Link) -> models.PasswordLink:
    return models.PasswordLink(account_id=account_id, path=people.link_path(link), expires_at=link.expires_at)


def _summary(row: dict[str, Any]) -> models.AccountSummary:
    names = ("account_id", "sign_in", "name", "role", "disabled_at", "created_at", "second_factor_at")
    sites = None if row["all_sites"] else row["site_ids"]
    return models.AccountSummary(**{n: row[n] for n in names}, sites=sites, last_seen_at=row["seen_at"])
