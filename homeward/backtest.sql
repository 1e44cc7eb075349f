-- What a backtest reads. The patients as homeward_admin, for one organisation; the observations as homeward_ingest,
-- which knows no tenant and no name, for exactly those patients.

-- name: patients
select p.patient_id, s.name as site, s.time_zone, p.spo2_scale,
    (extract(epoch from e.started_at) * 1000000)::bigint as enrolled_at,
    w.name as pathway, y.policy_id, y.version, y.document
from enrolment e
join patient p using (patient_id)
join site s on s.site_id = p.site_id
join pathway w on w.pathway_id = e.pathway_id
join policy y on y.policy_id = w.policy_id
where e.ended_at is null and e.organisation_id = %(organisation)s
    and (%(site)s::text is null or s.name = %(site)s)
    and (%(pathway)s::text is null or w.name = %(pathway)s)
order by p.patient_id

-- name: observations
-- Columns of many rows at once: a message a row would take longer than the scoring.
select array_agg(patient_id), array_agg(vital), array_agg(observed_at), array_agg(value)
from observation
where observed_at >= %(since)s and observed_at < %(until)s and patient_id = any(%(patients)s) and flags & 32 = 0
group by patient_id / 64
