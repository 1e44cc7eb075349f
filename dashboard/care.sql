-- What the pages of a care home and of handovers ask the database, for the person at work: row-level security has decided
-- already whose residents exist.

-- name: residents
-- Everybody of one site with what the scoring remembers of them, and until when somebody is away. Enough for a large home.
select p.patient_id, p.family_name, p.given_name, p.room, p.born_on, s.name as site, s.time_zone,
       coalesce(o.spo2_scale, p.spo2_scale) as spo2_scale, coalesce(o.usual_news2, p.usual_news2) as usual_news2, o.own,
       t.machine, t.last_observed_at, w.policy_id,
       case when isfinite(a.ends_at) then a.ends_at end as away_until, a.reason as away_for
from patient p
join site s using (site_id)
left join patient_state t using (patient_id)
left join enrolment n on n.patient_id = p.patient_id and n.ended_at is null
left join pathway w using (pathway_id)
left join lateral (
    select x.document::text as own, x.spo2_scale, x.usual_news2 from enrolment_override x
    where x.enrolment_id = n.enrolment_id order by x.version desc limit 1
) o on true
left join lateral (
    select x.ends_at, x.reason from patient_pause x
    where x.patient_id = p.patient_id and x.since <= now() and x.ends_at > now() and x.lifted_at is null
    order by x.since desc limit 1
) a on true
where p.site_id = %(site)s and p.discharged_at is null
order by substring(p.room from '^\d+')::numeric nulls last, p.room, p.family_name, p.given_name, p.patient_id
limit %(limit)s

-- name: resident_episodes
-- What is open, who has taken it on, and what they last said they did about it.
select e.episode_id, e.patient_id, e.rule, e.severity, coalesce(e.activated_at, e.opened_at) as since, e.sentence,
       e.explanation, e.acknowledged_at, a.name as acknowledged_name,
       case when e.snoozed_until > now() then e.snoozed_until end as snoozed_until,
       d.at as done_at, d.note as done_note, d.name as done_name
from episode e
left join account a on a.account_id = e.acknowledged_by
left join lateral (
    select v.at, v.note, x.name from episode_event v left join account x using (account_id)
    where v.episode_id = e.episode_id and v.kind = 'noted' and v.at >= e.acknowledged_at
    order by v.at desc, v.event_id desc limit 1
) d on true
where e.phase = 'active' and e.patient_id = any (%(patients)s::integer[])
order by e.patient_id, e.severity desc, since, e.episode_id

-- name: active_of
select episode_id, acknowledged_by from episode
where patient_id = %(patient)s and phase = 'active'
order by episode_id
for update

-- name: note_of_done
insert into note (organisation_id, patient_id, account_id, body)
values (%(organisation)s, %(patient)s, %(account)s, %(body)s)

-- name: resident_name
select p.given_name, p.family_name from patient p where p.patient_id = %(patient)s

-- name: handovers
-- What was signed about a patient, the newest first; of each handover the highest version is the one that counts.
select h.handover_id, h.patient_id, h.number, h.version, h.sections, h.facts, h.signed_by, h.signed_name, h.signed_role,
       h.signed_at, h.version = max(h.version) over (partition by h.number) as counts
from handover h
where h.patient_id = %(patient)s
order by h.number desc, h.version desc
limit 200

-- name: handover_lock
-- Of two who sign for the same patient or site, the second sees what the first has signed.
select pg_advisory_xact_lock(hashtext(%(kind)s), %(key)s)

-- name: newest_version
select max(version) as version from handover where patient_id = %(patient)s and number = %(number)s

-- name: next_number
select coalesce(max(number), 0) + 1 as number from handover where patient_id = %(patient)s

-- name: sign_handover
insert into handover (organisation_id, patient_id, number, version, sections, facts, signed_by, signed_name, signed_role)
values (%(organisation)s, %(patient)s, %(number)s, %(version)s, %(sections)s, %(facts)s, %(account)s, %(name)s, %(role)s)
returning handover_id, patient_id, number, version, sections, facts, signed_by, signed_name, signed_role, signed_at,
          true as counts

-- name: shift_sites
select site_id, name, kind, time_zone, shift_times::text[] as shift_times
from site
where site_id = any ((select visible_sites())::integer[])
order by kind <> 'care_home', name

-- name: shift_episodes
-- Everything that was active at some time since the beginning, with how severe it was then (0: it was not yet).
select e.episode_id, e.patient_id, e.rule, e.phase, e.severity, e.peak_severity, e.sentence, e.explanation, e.activated_at,
       e.resolved_at, e.acknowledged_at, a.name as acknowledged_name,
       coalesce(e.snoozed_until > now(), false) as is_snoozed,
       case when e.activated_at > %(since)s then 0 else coalesce(b.severity, e.severity) end as before
from episode e
join patient p using (patient_id)
left join account a on a.account_id = e.acknowledged_by
left join lateral (
    select v.severity from episode_event v
    where v.episode_id = e.episode_id and v.kind in ('activated', 'severity') and v.at <= %(since)s and not v.retracted
    order by v.at desc, v.event_id desc limit 1
) b on true
where p.site_id = %(site)s and p.discharged_at is null and e.activated_at is not null
  and (e.phase = 'active' or (e.phase = 'resolved' and e.resolved_at > %(since)s))
order by e.patient_id, e.severity desc, e.activated_at, e.episode_id

-- name: shift_notes
select n.patient_id, n.at, n.body, a.name as account
from note n join patient p using (patient_id) join account a using (account_id)
where p.site_id = %(site)s and p.discharged_at is null and n.at > %(since)s
order by n.at

-- name: shift_handovers
select h.shift_handover_id, h.site_id, h.since, h.until, h.number, h.version, h.document, h.signed_by, h.signed_name,
       h.signed_role, h.signed_at, h.version = max(h.version) over (partition by h.number) as counts
from shift_handover h
where h.site_id = %(site)s and (%(handover)s::bigint is null or h.number =
    (select x.number from shift_handover x where x.shift_handover_id = %(handover)s and x.site_id = %(site)s))
order by h.number desc, h.version desc
limit 60

-- name: next_shift_number
select coalesce(max(number), 0) + 1 as number from shift_handover where site_id = %(site)s

-- name: sign_shift
insert into shift_handover (organisation_id, site_id, since, until, number, version, document, signed_by, signed_name,
                            signed_role)
values (%(organisation)s, %(site)s, %(since)s, %(until)s, %(number)s, %(version)s, %(document)s, %(account)s, %(name)s,
        %(role)s)
returning shift_handover_id, site_id, since, until, number, version, document, signed_by, signed_name, signed_role,
          signed_at, true as counts
