"""Which rules are in force, and who did what: the JSON interface to `dashboard.policies` and `dashboard.audit`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from dashboard import audit, policies
from dashboard.api import account_models as models
from dashboard.api import paging
from dashboard.api.models import Page
from dashboard.api.paging import After, Limit
from dashboard.api.rights import allowed
from dashboard.audit import Search
from dashboard.permissions import Permission

PolicyName = Annotated[str, Path(pattern="^[a-z][a-z0-9_]*$", max_length=64)]
router = APIRouter()


@router.get("/policies", tags=["policies"], dependencies=[allowed(Permission.SEE_POLICIES)])
async def list_policies() -> list[models.PolicySummary]:
    """List the policies in force."""
    names = models.PolicySummary.model_fields
    return [models.PolicySummary(**{n: row[n] for n in names}) for row in await policies.policies()]


@router.get("/policies/{policy_name}", tags=["policies"], dependencies=[allowed(Permission.SEE_POLICIES)])
async def list_versions(policy_name: PolicyName) -> list[models.PolicyVersion]:
    """Give the versions of a policy, the newest first."""
    names = models.PolicyVersion.model_fields
    return [models.PolicyVersion(**{n: row[n] for n in names}) for row in await policies.versions(policy_name)]


@router.post("/policies", status_code=201, tags=["policies"], dependencies=[allowed(Permission.PUBLISH_POLICIES)])
async def publish(given: models.NewVersion) -> models.Published:
    """Put a document in force as the next version of its pathway."""
    name, version = await policies.publish(given.document, author=given.author, reason=given.reason, after=given.after)
    return models.Published(name=name, version=version)


@router.get("/audit", tags=["audit"], dependencies=[allowed(Permission.SEE_AUDIT)])
async def entries(
    account: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="by whom")] = None,
    patient: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="about whom")] = None,
    action: Annotated[str | None, Query(max_length=60)] = None,
    since: Annotated[models.When | None, Query(alias="from")] = None,
    until: Annotated[models.When | None, Query(alias="to", description="not included")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[models.AuditEntry]:
    """List what was looked at and changed, the latest first."""
    (before,) = paging.read(after, paging.number)
    rows = await audit.entries(Search(account, patient, action, since, until), limit + 1, before)
    names = models.AuditEntry.model_fields
    items = [models.AuditEntry(**{n: row[n] for n in names}) for row in rows[:limit]]
    return Page(items=items, next=paging.next_of(rows, limit, "audit_id"))


@router.get("/audit/verification", tags=["audit"], dependencies=[allowed(Permission.SEE_AUDIT)])
async def verification() -> models.AuditVerification:
    """Walk along the log's chain and say whether an entry was changed."""
    found = await audit.verify_own()
    return models.AuditVerification(
        intact=found.intact, entries=found.entries, first_broken=found.first_broken, last_hash=found.last_hash
    )
