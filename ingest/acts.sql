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

-- name: ended_pauses
-- Of patients whom no other pause covers now: what is active and was not told is told.
update patient_pause p set settled_at = now()
where p.pause_id in (
    select pause_id from patient_pause
    where settled_at is null and least(ends_at, lifted_at) <= timestamptz 'epoch' + %s * interval '1 microsecond'
    order by pause_id for update skip locked limit %s)
returning p.patient_id

-- name: tell_after_pause
insert into notification_job (organisation_id, episode_id, key, severity)
select e.organisation_id, e.episode_id, concat_ws(':', e.episode_id, e.severity,
    (extract(epoch from e.activated_at) * 1000000)::bigint), e.severity
from episode e
where e.patient_id = any(%(patients)s::int[]) and e.phase = 'active' and not e.retrospective
    and e.acknowledged_by is null
    and not exists (select from patient_pause p where p.patient_id = e.patient_id
        and least(p.ends_at, p.lifted_at) > timestamptz 'epoch' + %(now)s * interval '1 microsecond')
    and not exists (select from notification_job j where j.episode_id = e.episode_id and j.severity >= e.severity)
on conflict do nothing
