-- How long observations are kept, and the deletion of older ones: the former as homeward_admin, the latter as
-- homeward_retention, which sees no name and no value.

-- name: set_rule
insert into retention (organisation_id, months, set_by, reason)
values (%(organisation)s, %(months)s, %(by)s, %(reason)s)
on conflict (organisation_id) do update set months = excluded.months, set_by = excluded.set_by, reason = excluded.reason,
    set_at = now()

-- name: rule
select o.name as organisation, r.months, r.set_by, r.reason, r.set_at, r.observations_from, r.applied_at
from organisation o left join retention r using (organisation_id) where o.organisation_id = %(organisation)s

-- name: move_on
-- Said before anything is deleted: from now on nothing before it is judged again. It never moves back.
update retention set observations_from = greatest(observations_from,
    date_trunc('day', now() - make_interval(months => months)))
returning organisation_id, observations_from

-- name: planned
select organisation_id, greatest(observations_from, date_trunc('day', now() - make_interval(months => months)))
    as observations_from
from retention

-- name: kept_from
-- The instant from which everybody's are kept: none where an organisation has no rule. Open episodes hold theirs.
select case when exists (select from organisation o where not exists (
        select from retention r where r.organisation_id = o.organisation_id)) then null
    else least((select min(observations_from) from retention),
               (select min(opened_at) - %(memory)s::interval from episode where phase in ('pending', 'active'))) end as at

-- name: chunks
select range_start as begin, range_end as "end" from timescaledb_information.chunks
where hypertable_schema = 'homeward' and hypertable_name = 'observation' and range_start < %(before)s order by 1

-- name: delete_of_chunk
with kept as materialized (
    select p.patient_id, least(max(r.observations_from), min(e.opened_at) - %(memory)s::interval) as at
    from retention r join patient p using (organisation_id)
    left join episode e on e.patient_id = p.patient_id and e.phase in ('pending', 'active')
    group by p.patient_id)
delete from observation o using kept k
where o.patient_id = k.patient_id and o.observed_at >= %(begin)s and o.observed_at < %(end)s and o.observed_at < k.at

-- name: count_of_chunk
with kept as materialized (
    select p.patient_id, least((%(cutoffs)s::jsonb ->> p.organisation_id::text)::timestamptz,
        min(e.opened_at) - %(memory)s::interval) as at
    from retention r join patient p using (organisation_id)
    left join episode e on e.patient_id = p.patient_id and e.phase in ('pending', 'active')
    group by p.patient_id, p.organisation_id)
select count(*) from observation o join kept k using (patient_id)
where o.observed_at >= %(begin)s and o.observed_at < %(end)s and o.observed_at < k.at

-- name: delete_quarantine
-- What somebody has dealt with; what still waits is dropped by nobody but a person.
delete from quarantine q using retention r
where r.organisation_id = q.organisation_id and q.received_at < r.observations_from and q.status <> 'waiting'

-- name: applied
update retention set applied_at = now()

-- name: audit
insert into audit_log (organisation_id, action, object, detail)
select organisation_id, 'retention', 'observations', jsonb_build_object('before', observations_from) from retention
where organisation_id = any(%(organisations)s::int[])
