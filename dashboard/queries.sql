-- What the pages ask the database. Every query runs for the person at work, so row-level security has already decided
-- whose patients exist; a site given here only narrows that further. Observations are read through the view
-- patient_observation and nothing else.

-- name: sites
select site_id, name, kind, time_zone
from site
where site_id = any ((select visible_sites())::integer[])
order by name;

-- name: sight
-- What decides which patients the person at work sees.
select visible_sites() as sites, opened_patients() as opened, sees_patients() as sees;

-- name: pathway_documents
-- The policies in force: few, and the rules in them say what "not reporting" means.
select p.policy_id, p.version, p.document
from pathway w join policy p on p.policy_id = w.policy_id;

-- name: patients_in_view
-- State and policy of the rows that are on the screen.
select p.patient_id, coalesce(o.spo2_scale, p.spo2_scale) as spo2_scale,
       coalesce(o.usual_news2, p.usual_news2) as usual_news2, o.own, t.machine, t.last_observed_at, w.policy_id, s.time_zone
from patient p
join site s using (site_id)
left join patient_state t using (patient_id)
left join enrolment n on n.patient_id = p.patient_id and n.ended_at is null
left join pathway w using (pathway_id)
left join lateral (
    select x.document::text as own, x.spo2_scale, x.usual_news2 from enrolment_override x
    where x.enrolment_id = n.enrolment_id order by x.version desc limit 1
) o on true
where p.patient_id = any (%(patients)s::integer[]);

-- name: open_episodes
select e.episode_id, e.patient_id, e.rule, e.severity, coalesce(e.activated_at, e.opened_at) as since, e.sentence,
       e.acknowledged_at, e.acknowledged_by, a.name as acknowledged_name, e.retrospective, e.explanation,
       case when e.snoozed_until > now() then e.snoozed_until end as snoozed_until,
       -- latched, and over: nobody has reset it since, and its condition has not come back
       case when e.explanation ? 'latching' then coalesce((select v.kind from episode_event v
           where v.episode_id = e.episode_id and not v.retracted
             and v.kind in ('activated', 'severity', 'cleared', 'reset')
           order by v.at desc, v.event_id desc limit 1) = 'cleared', false) else false end as waits_for_reset
from episode e left join account a on a.account_id = e.acknowledged_by
where e.phase = 'active' and e.patient_id = any (%(patients)s::integer[])
order by e.patient_id, e.severity desc, e.acknowledged_at is not null, e.activated_at, e.episode_id;

-- name: trends
-- The small line of each row in view: one vital sign a patient, averaged over buckets.
select q.patient_id, q.vital, b.at, b.value
from unnest(%(patients)s::integer[], %(vitals)s::smallint[]) as q (patient_id, vital)
cross join lateral (
    select time_bucket(%(width)s::interval, o.observed_at) as at, avg(o.value) as value
    from patient_observation o
    where o.patient_id = q.patient_id and o.vital = q.vital and o.observed_at > %(since)s and o.flags & 1 = 0
    group by 1
) b
order by q.patient_id, q.vital, b.at;

-- name: patient
select p.patient_id, p.family_name, p.given_name, p.nhs_number, p.born_on, p.sex, p.room, p.contact, p.allergies,
       p.resuscitation, coalesce(o.spo2_scale, p.spo2_scale) as spo2_scale,
       coalesce(o.usual_news2, p.usual_news2) as usual_news2, o.own, coalesce(o.version, 0) as own_version,
       p.discharged_at, p.site_id, s.name as site, s.time_zone, s.kind as site_kind,
       w.title as pathway, n.started_at as enrolled_at, y.policy_id, y.version, y.document, y.author,
       t.machine, t.last_observed_at, t.next_due_at, now() as now
from patient p
join site s using (site_id)
left join enrolment n on n.patient_id = p.patient_id and n.ended_at is null
left join pathway w using (pathway_id)
left join policy y on y.policy_id = w.policy_id
left join lateral (
    select x.document::text as own, x.version, x.spo2_scale, x.usual_news2 from enrolment_override x
    where x.enrolment_id = n.enrolment_id order by x.version desc limit 1
) o on true
left join patient_state t on t.patient_id = p.patient_id
where p.patient_id = %(patient)s;

-- name: patient_episodes
select e.episode_id, e.rule, e.opened_at, e.activated_at, e.resolved_at, e.phase, e.severity, e.peak_severity,
       e.retrospective, e.sentence, e.explanation, e.acknowledged_at, a.name as acknowledged_name, e.snoozed_until
from episode e left join account a on a.account_id = e.acknowledged_by
where e.patient_id = %(patient)s and e.phase in ('active', 'resolved')
  and (e.resolved_at is null or e.resolved_at > %(since)s)
order by e.phase, e.severity desc, e.activated_at desc
limit 500;

-- name: patient_events
select v.event_id, v.episode_id, v.kind, v.at, v.severity, v.value, v.note, a.name as account, e.sentence, e.rule,
       e.retrospective, e.explanation, e.explanation ? 'silent' as of_schedule
from episode_event v
join episode e using (episode_id)
left join account a on a.account_id = v.account_id
where v.patient_id = %(patient)s and v.at > %(since)s and not v.retracted and v.kind <> 'opened'
order by v.at desc, v.event_id desc
limit %(limit)s;

-- name: patient_notes
select n.note_id, n.at, n.body, n.kind, n.outcome, a.name as account
from note n join account a using (account_id)
where n.patient_id = %(patient)s and n.at > %(since)s
order by n.at desc
limit %(limit)s;

-- name: observation_counts
select vital, count(*) as observations
from patient_observation
where patient_id = %(patient)s and observed_at > %(since)s and observed_at <= %(until)s
group by vital
order by vital;

-- name: observations
-- Every observation of the vital signs that are sparse enough to draw one by one, and every suspected repeat.
select vital, observed_at, value, flags, device_id
from patient_observation
where patient_id = %(patient)s and observed_at > %(since)s and observed_at <= %(until)s
  and (vital = any (%(vitals)s::smallint[]) or flags & 1 <> 0)
order by observed_at, vital
limit 20000;

-- name: observations_bucketed
-- Dense vital signs: the middle and the range of each bucket. Suspected repeats are drawn apart, so they do not count.
select vital, time_bucket(%(width)s::interval, observed_at) as at, count(*) as observations,
       percentile_cont(0.5) within group (order by value) as middle, min(value) as low, max(value) as high
from patient_observation
where patient_id = %(patient)s and observed_at > %(since)s and observed_at <= %(until)s
  and vital = any (%(vitals)s::smallint[]) and flags & 1 = 0
group by vital, 2
order by vital, 2;

-- name: last_of_buckets
select time_bucket(%(width)s::interval, observed_at) as at, vital, last(value, observed_at) as value,
       max(observed_at) as observed_at
from patient_observation
where patient_id = %(patient)s and observed_at > %(since)s and observed_at <= %(until)s
  and vital = any (%(vitals)s::smallint[]) and flags & %(not_scored)s = 0
group by 1, vital
order by 1, vital;

-- name: usual_ranges
-- Where the middle four fifths of a patient's own observations lie.
select vital, percentile_cont(array[0.1, 0.9]) within group (order by value) as bounds, count(*) as observations
from patient_observation
where patient_id = %(patient)s and observed_at > %(since)s and observed_at <= %(until)s and flags & 1 = 0
group by vital;

-- name: device_gaps
-- Silences of a device: several times longer than nearly all of its own steps, and long enough to be told.
with step as (
    select o.device_id, o.observed_at as until,
           lag(o.observed_at) over (partition by o.device_id order by o.observed_at) as since
    from (select distinct device_id, observed_at from patient_observation
          where patient_id = %(patient)s and observed_at > %(since)s) o
),
usual as (
    select device_id, percentile_cont(0.9) within group (order by until - since) as step from step group by device_id
)
select d.code, d.kind, s.since, s.until
from step s join usual u using (device_id) join device d using (device_id)
where s.until - s.since > greatest(%(longer)s::interval, u.step * %(steps)s)
order by s.until desc
limit %(limit)s;

-- name: observation_table
select o.observed_at, o.received_at, o.vital, o.value, o.flags, d.code as device
from patient_observation o left join device d using (device_id)
where o.patient_id = %(patient)s and o.observed_at <= %(until)s and o.observed_at > %(since)s
order by o.observed_at desc, o.vital
limit %(limit)s;


-- name: services
select service, count(*) as instances, min(started_at) as started_at, max(seen_at) as seen_at, now() as now
from service_instance
where seen_at > now() - interval '1 day'
group by service
order by service;

-- name: last_stored
select max(last_observed_at) as last_observed_at, max(updated_at) as updated_at, count(*) as patients
from patient_state;
