-- What people have done that the scoring has to know, and what follows when a pause ends.

-- name: acts
-- Pauses with their real end; resets with the rule whose episode was reset. Read after the states are locked: whoever
-- acts has waited for that lock, or has been seen.
select patient_id, (extract(epoch from since) * 1000000)::bigint,
    (extract(epoch from least(ends_at, lifted_at)) * 1000000)::bigint, null::text
from patient_pause where patient_id = any(%(patients)b::int[])
union all
select v.patient_id, (extract(epoch from v.at) * 1000000)::bigint, 0, e.rule
from episode_event v join episode e using (episode_id)
where v.kind = 'reset' and v.patient_id = any(%(patients)b::int[])

-- name: unsettled
-- Of whom is something to be told when their pause has ended? Asked under the lock of their states, like what follows.
select distinct patient_id from patient_pause where patient_id = any(%s::int[]) and settled_at is null

-- name: ended_pauses
-- Whoever is scoring a patient at this moment may be raising what is to be told: their turn comes when that is stored.
with quiet as (
    select s.patient_id from patient_state s
    where s.patient_id in (
        select patient_id from patient_pause
        where settled_at is null and least(ends_at, lifted_at) <= timestamptz 'epoch' + %(now)s * interval '1 microsecond')
    order by s.patient_id limit %(most)s for update skip locked)
update patient_pause p set settled_at = now()
from quiet q
where p.patient_id = q.patient_id and p.settled_at is null
    and least(p.ends_at, p.lifted_at) <= timestamptz 'epoch' + %(now)s * interval '1 microsecond'
returning p.patient_id

-- name: tell_after_pause
-- Of patients whom no other pause covers now: what is active and was not told is told. What was told before somebody took
-- it on or put it off, or before its condition came back in a pause, was not told as it is now.
insert into notification_job (organisation_id, episode_id, key, severity)
select e.organisation_id, e.episode_id, concat_ws(':', e.episode_id, e.severity, 'paused', extract(epoch from now())),
    e.severity
from episode e
where e.patient_id = any(%(patients)s::int[]) and e.phase = 'active' and not e.retrospective
    and e.acknowledged_by is null
    and not exists (select from patient_pause p where p.patient_id = e.patient_id
        and least(p.ends_at, p.lifted_at) > timestamptz 'epoch' + %(now)s * interval '1 microsecond')
    and not exists (select from notification_job j where j.episode_id = e.episode_id and j.severity >= e.severity
        and not exists (select from episode_event v where v.episode_id = e.episode_id and v.recorded_at > j.created_at
            and v.kind in ('acknowledged', 'snoozed'))
        and not exists (select from episode_event v
            join patient_pause p on p.patient_id = v.patient_id and v.at >= p.since and v.at < least(p.ends_at, p.lifted_at)
            where v.episode_id = e.episode_id and v.kind = 'activated' and not v.retracted and v.at > j.created_at))
on conflict do nothing
