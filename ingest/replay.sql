-- What it takes to run the core again over what is stored, and to compare.

-- name: all_patients
select patient_id from patient_state order by patient_id

-- name: patient_of_episode
select patient_id, rule, (extract(epoch from opened_at) * 1000000)::bigint from episode where episode_id = %s

-- name: records
select patient_id, machine, (extract(epoch from updated_at) * 1000000)::bigint
from patient_state where patient_id = any(%b::int[]) order by patient_id

-- name: versions
-- Every version that a patient's enrolments had, in the order of time.
select e.patient_id, (extract(epoch from e.started_at) * 1000000)::bigint,
    (extract(epoch from e.ended_at) * 1000000)::bigint, y.policy_id,
    (extract(epoch from y.published_at) * 1000000)::bigint
from enrolment e join policy y using (pathway_id)
where e.patient_id = any(%b::int[])
order by e.patient_id, e.started_at, y.version

-- name: overrides
-- Every version of what was a person's own, and from when on it was in force.
select e.patient_id, (extract(epoch from e.started_at) * 1000000)::bigint,
    (extract(epoch from o.created_at) * 1000000)::bigint, o.document::text, o.spo2_scale
from enrolment_override o join enrolment e using (enrolment_id)
where o.patient_id = any(%b::int[])
order by o.patient_id, e.started_at, o.version

-- name: on_record
-- What is not in versions: it counts as it is now.
select patient_id, spo2_scale, usual_news2 from patient where patient_id = any(%b::int[])

-- name: documents
select policy_id, version, document from policy where policy_id = any(%s::int[])

-- name: events
-- What the core said and still stands; acts of people are not its own.
select e.patient_id, e.rule, (extract(epoch from e.opened_at) * 1000000)::bigint,
    (extract(epoch from v.at) * 1000000)::bigint, v.kind, v.severity, v.value
from episode_event v join episode e using (episode_id)
where v.patient_id = any(%s::int[]) and v.account_id is null and not v.retracted
    and v.kind in ('opened', 'activated', 'severity', 'resolved', 'cleared')
order by v.patient_id, v.at, v.event_id

-- name: episodes
select e.patient_id, e.rule, (extract(epoch from e.opened_at) * 1000000)::bigint,
    coalesce((extract(epoch from e.activated_at) * 1000000)::bigint, 0), e.phase, e.severity, e.peak_severity,
    e.episode_id
from episode e where e.patient_id = any(%s::int[]) and e.phase <> 'withdrawn'
order by e.patient_id, e.opened_at

-- name: explained
select e.episode_id, e.patient_id, e.rule, w.name as policy, y.version, y.author, e.opened_at, e.activated_at,
    e.resolved_at, e.phase, e.severity, e.peak_severity, e.retrospective, e.sentence, e.explanation
from episode e join policy y using (policy_id) join pathway w using (pathway_id)
where e.episode_id = %s
