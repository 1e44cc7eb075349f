-- The versions of each pathway's policy: for the person at work on the page, and as homeward_admin for the commands. What
-- was published is never changed; the database refuses it.

-- name: policies
select w.pathway_id, w.name, w.title, y.policy_id, y.version, y.author, y.source, y.reason, y.published_at, y.derived_from,
    (select count(*) from enrolment e where e.pathway_id = w.pathway_id and e.ended_at is null) as enrolled
from pathway w join policy y on y.policy_id = w.policy_id
order by w.title

-- name: versions
select y.policy_id, y.version, y.author, y.reason, y.published_at, y.document, y.policy_id = w.policy_id as in_force
from policy y join pathway w using (pathway_id)
where w.name = %(name)s order by y.version desc

-- name: add_pathway
insert into pathway (organisation_id, name, title) values (%(organisation)s, %(name)s, %(title)s)
on conflict (organisation_id, name) do update set title = excluded.title

-- name: lock_pathway
select w.pathway_id, coalesce((select max(version) from policy p where p.pathway_id = w.pathway_id), 0) as version,
    (select p.sha256 from policy p where p.policy_id = w.policy_id) as sha256
from pathway w where w.organisation_id = %(organisation)s and w.name = %(name)s
for update of w

-- name: add_policy
with published as (
    insert into policy (organisation_id, pathway_id, version, document, sha256, derived_from, derived_sha256,
        lowest_age, pregnancy, author, source, reason)
    values (%(organisation)s, %(pathway)s, %(version)s, %(document)s, %(sha256)s, %(derived_from)s, %(derived_sha256)s,
        %(lowest_age)s, %(pregnancy)s, %(author)s, %(source)s, %(reason)s)
    returning policy_id)
update pathway set policy_id = published.policy_id from published where pathway_id = %(pathway)s

-- name: overrides_of_pathway
-- Also of patients at sites that the person does not see: the version will be in force there too.
select patient_id, document::text as document from overrides_of_pathway(%(name)s)
