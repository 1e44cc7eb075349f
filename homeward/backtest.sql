-- What a backtest reads. The patients as homeward_admin, for one organisation; the observations as homeward_ingest,
-- which knows no tenant and no name, for exactly those patients.

-- name: patients
select p.patient_id, s.name as site, s.time_zone, p.spo2_scale,
    (extract(epoch from e.started_at) * 1000000)::bigint as enrolled_at,
    w.name as pathway, y.policy_id, y.version, y.document, coalesce(o.own, '{}') as own, o.spo2_scale as own_scale,
    coalesce(o.usual_news2, p.usual_news2) as usual_news2
from enrolment e
join patient p using (patient_id)
join site s on s.site_id = p.site_id
join pathway w on w.pathway_id = e.pathway_id
join policy y on y.policy_id = w.policy_id
left join lateral (
    select x.document::text as own, x.spo2_scale, x.usual_news2 from enrolment_override x
    where x.enrolment_id = e.enrolment_id order by x.version desc limit 1) o on true
where e.ended_at is null and e.organisation_id = %(organisation)s
    and (%(site)s::text is null or s.name = %(site)s)
    and (%(pathway)s::text is null or w.name = %(pathway)s)
order by p.patient_id

-- name: is_followed
select exists (
    select from enrolment e join pathway w using (pathway_id)
    where e.ended_at is null and e.organisation_id = %(organisation)s and w.name = %(pathway)s)

-- name: pauses
select patient_id, (extract(epoch from since) * 1000000)::bigint,
    (extract(epoch from least(ends_at, lifted_at)) * 1000000)::bigint
from patient_pause where organisation_id = %(organisation)s

-- name: observations
-- Columns of many rows at once: a message a row would take longer than the scoring. What is small shares one number,
-- because each element of an array costs as much as another: patient, then 16 bits each for vital sign and flags.
select array_agg((patient_id::bigint << 32) | (vital::integer << 16) | flags::integer), array_agg(observed_at),
    array_agg(value)
from observation
where observed_at >= %(since)s and observed_at < %(until)s and patient_id = any(%(patients)s) and flags & 32 = 0
group by patient_id / 512
