-- What the JSON interface asks the database, for the person at work: row-level security has decided already whose
-- patients exist. Lists are paged by the last row's place in their order, so that rows that arrive meanwhile are
-- neither skipped nor repeated.

-- name: sites
select site_id, name, kind, time_zone from site
where site_id = any ((select visible_sites())::integer[])
order by name, site_id

-- name: patients
select p.patient_id, p.family_name, p.given_name, p.nhs_number, p.born_on, p.sex, p.site_id, s.name as site, p.room,
       p.discharged_at, t.last_observed_at, coalesce(e.severity, 0) as severity, coalesce(e.waiting, 0) as waiting,
       z.paused_until
from patient p
join site s using (site_id)
left join patient_state t using (patient_id)
left join lateral (
    select max(severity) as severity, count(*) filter (where acknowledged_at is null
        and (snoozed_until is null or snoozed_until <= now())) as waiting
    from episode where patient_id = p.patient_id and phase = 'active'
) e on true
left join lateral (
    select max(x.ends_at) as paused_until from patient_pause x
    where x.patient_id = p.patient_id and x.since <= now() and least(x.ends_at, x.lifted_at) > now()
) z on true
where (%(site)s::integer is null or p.site_id = %(site)s)
  and (%(discharged)s or p.discharged_at is null)
  and (%(search)s::text is null or p.nhs_number = %(nhs_number)s
       or p.given_name || ' ' || p.family_name ilike %(search)s or p.family_name || ' ' || p.given_name ilike %(search)s)
  and (%(after_family)s::text is null
       or (p.family_name, p.given_name, p.patient_id) > (%(after_family)s, %(after_given)s, %(after_id)s::integer))
order by p.family_name, p.given_name, p.patient_id
limit %(limit)s

-- name: patient
select p.patient_id, p.family_name, p.given_name, p.nhs_number, p.born_on, p.sex, p.site_id, s.name as site, p.room,
       p.discharged_at, p.contact, p.allergies, p.resuscitation, p.spo2_scale, p.usual_news2, t.last_observed_at,
       w.name as pathway, y.version as policy_version, n.started_at as enrolled_at,
       coalesce(e.severity, 0) as severity, coalesce(e.waiting, 0) as waiting,
       z.paused_until
from patient p
join site s using (site_id)
left join patient_state t using (patient_id)
left join enrolment n on n.patient_id = p.patient_id and n.ended_at is null
left join pathway w using (pathway_id)
left join policy y using (policy_id)
left join lateral (
    select max(severity) as severity, count(*) filter (where acknowledged_at is null
        and (snoozed_until is null or snoozed_until <= now())) as waiting
    from episode where patient_id = p.patient_id and phase = 'active'
) e on true
left join lateral (
    select max(x.ends_at) as paused_until from patient_pause x
    where x.patient_id = p.patient_id and x.since <= now() and least(x.ends_at, x.lifted_at) > now()
) z on true
where p.patient_id = %(patient)s

-- name: observations
select o.vital, o.observed_at, o.received_at, o.value, o.flags, o.device_id, d.code as device
from patient_observation o
left join device d using (device_id)
where o.patient_id = %(patient)s and o.observed_at >= %(since)s and o.observed_at < %(until)s
  and (%(vitals)s::smallint[] is null or o.vital = any (%(vitals)s))
  and (%(after_at)s::timestamptz is null or (o.observed_at, o.vital, o.device_id)
       > (%(after_at)s, %(after_vital)s::smallint, %(after_device)s::integer))
order by o.observed_at, o.vital, o.device_id
limit %(limit)s

-- name: episodes
select e.episode_id, e.patient_id, e.rule, e.opened_at, e.activated_at, e.resolved_at, e.phase, e.severity,
       e.peak_severity, e.retrospective, e.sentence, e.explanation, e.acknowledged_by, e.acknowledged_at, a.name as acknowledged_name,
       case when e.snoozed_until > now() then e.snoozed_until end as snoozed_until,
       e.phase = 'active' and e.explanation ? 'latching' and coalesce((select v.kind from episode_event v
           where v.episode_id = e.episode_id and not v.retracted and v.kind in ('activated', 'severity', 'cleared')
           order by v.at desc, v.event_id desc limit 1) = 'cleared', false) as waits_for_reset
from episode e
join patient p using (patient_id)
left join account a on a.account_id = e.acknowledged_by
where (%(episode)s::bigint is null or e.episode_id = %(episode)s)
  and (%(phases)s::text[] is null or e.phase = any (%(phases)s))
  and (%(severities)s::smallint[] is null or e.severity = any (%(severities)s))
  and (%(patient)s::integer is null or e.patient_id = %(patient)s)
  and (%(site)s::integer is null or p.site_id = %(site)s)
  and (%(acknowledged)s::boolean is null or (e.acknowledged_at is not null) = %(acknowledged)s)
  and (%(after_at)s::timestamptz is null or (e.opened_at, e.episode_id) < (%(after_at)s, %(after_id)s::bigint))
order by e.opened_at desc, e.episode_id desc
limit %(limit)s

-- name: episode_details
select w.name as pathway, y.version as policy_version, y.author as policy_author
from episode e
join policy y using (policy_id)
join pathway w on w.pathway_id = y.pathway_id
where e.episode_id = %(episode)s

-- name: episode_events
select v.event_id, v.kind, v.at, v.severity, v.value, v.retracted, v.note, a.name as account
from episode_event v left join account a using (account_id)
where v.episode_id = %(episode)s
order by v.at, v.event_id

-- name: notes
select n.note_id, n.at, n.body, a.name as account
from note n join account a using (account_id)
where n.patient_id = %(patient)s and (%(after_id)s::bigint is null or n.note_id < %(after_id)s)
order by n.note_id desc
limit %(limit)s

-- name: quarantine
select q.quarantine_id, q.reason, q.detail, q.topic, q.device_id, d.code as device, q.observations, q.received_at,
       q.status, q.note, q.handled_at, length(q.payload) as payload_bytes, substring(q.payload from 1 for 4000) as payload,
       -- of whom it may tell
       array(select a.patient_id from device_assignment a where a.device_id = q.device_id and a.during @> q.received_at
             union select q.patient_id where q.patient_id is not null) as patients
from quarantine q left join device d using (device_id)
where (%(status)s::text is null or q.status = %(status)s)
  and (%(reason)s::text is null or q.reason = %(reason)s)
  and (%(after_id)s::bigint is null or q.quarantine_id < %(after_id)s)
order by q.quarantine_id desc
limit %(limit)s

-- name: services
select service, started_at, seen_at, counters, seen_at > now() - make_interval(secs => %(live_s)s) as is_live
from service_instance
where seen_at > now() - interval '1 day'
order by service, started_at

-- name: export
select o.observed_at, o.received_at, o.vital, o.value, o.flags, d.code
from patient_observation o left join device d using (device_id)
where o.patient_id = %(patient)s and o.observed_at > %(since)s and o.observed_at <= %(until)s
order by o.observed_at, o.vital, o.device_id
