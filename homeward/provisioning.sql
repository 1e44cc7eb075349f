-- What an administrator of the installation sets up: tenants, sites, accounts, policies, devices. Every statement runs as
-- homeward_admin in a transaction that acts for one organisation, so another tenant's rows are not there.

-- name: organisations
select organisation_id, name from organisation order by name

-- name: add_organisation
insert into organisation (name) values (%(name)s) on conflict (name) do nothing

-- name: add_site
insert into site (organisation_id, name, kind) values (%(organisation)s, %(name)s, %(kind)s)
on conflict (organisation_id, name) do nothing

-- name: sites
select site_id, name, kind from site where organisation_id = %(organisation)s order by name

-- name: add_account
insert into account (organisation_id, sign_in, name, role, all_sites, password_hash)
values (%(organisation)s, %(sign_in)s, %(name)s, %(role)s, %(all_sites)s, %(password_hash)s)
returning account_id

-- name: add_account_sites
insert into account_site (account_id, site_id, organisation_id)
select %(account)s, s, %(organisation)s from unnest(%(sites)s::int[]) s

-- name: accounts
select a.account_id, a.sign_in, a.name, a.role, a.all_sites, a.disabled_at is null as enabled,
    coalesce(array_agg(s.name order by s.name) filter (where s.name is not null), '{}') as sites
from account a left join account_site x using (account_id) left join site s using (site_id)
where a.organisation_id = %(organisation)s
group by a.account_id order by a.sign_in

-- name: set_password
update account set password_hash = %(password_hash)s, failed_sign_ins = 0, locked_until = null
where sign_in = %(sign_in)s
returning account_id

-- name: end_sessions
delete from session where account_id = %(account)s

-- name: pathways
select w.pathway_id, w.name, w.title, p.version, p.author, p.source, p.reason, p.published_at, p.document, p.derived_from,
    (select count(*) from enrolment e where e.pathway_id = w.pathway_id and e.ended_at is null) as enrolled
from pathway w join policy p on p.policy_id = w.policy_id
where w.organisation_id = %(organisation)s order by w.name

-- name: end_enrolment
update enrolment set ended_at = greatest(now(), started_at + interval '1 microsecond')
where patient_id = %(patient)s and ended_at is null and pathway_id <> %(pathway)s

-- name: enrol
insert into enrolment (organisation_id, patient_id, pathway_id)
select %(organisation)s, %(patient)s, %(pathway)s
where not exists (select from enrolment where patient_id = %(patient)s and ended_at is null)

-- name: lock_enrolment
select e.enrolment_id, y.policy_id, y.version, y.document,
    coalesce((select max(version) from enrolment_override o where o.enrolment_id = e.enrolment_id), 0) as last_override
from enrolment e join pathway w using (pathway_id) join policy y using (policy_id)
where e.patient_id = %(patient)s and e.ended_at is null
for update of e

-- name: add_override
insert into enrolment_override (organisation_id, patient_id, enrolment_id, version, document, spo2_scale, usual_news2,
    policy_id, author, reason)
values (%(organisation)s, %(patient)s, %(enrolment)s, %(version)s, %(document)s::jsonb, %(spo2_scale)s, %(usual_news2)s,
    %(policy)s, %(author)s, %(reason)s)

-- name: overrides
select w.name as policy, o.version, o.document::text as document, o.author, o.reason, o.created_at
from enrolment_override o join enrolment e using (enrolment_id) join pathway w using (pathway_id)
where o.patient_id = %(patient)s order by o.created_at desc, o.version desc

-- name: devices
select d.device_id, d.code, d.kind, d.lane, h.code as hub, s.name as site, d.retired_at is not null as retired,
    array_agg(a.patient_id order by a.device_user) filter (where a.patient_id is not null) as patients,
    t.online, t.since, t.battery, t.firmware,
    case when c.unset_at >= c.heard_at then 'not set'
        when cardinality(c.delays_us) > 0 then round(c.skew_us / 1000000.0, 1)::text || ' s' end as clock
from device d left join device h on h.device_id = d.hub_id left join site s on s.site_id = d.site_id
left join device_standing t on t.device_id = d.device_id
left join device_clock c on c.device_id = d.device_id
left join device_assignment a on a.device_id = d.device_id and a.during @> now()
where d.organisation_id = %(organisation)s
group by d.device_id, h.code, s.name, t.device_id, c.device_id order by d.code

-- name: audit
insert into audit_log (organisation_id, action, object, detail)
values (%(organisation)s, %(action)s, %(object)s, %(detail)s)
