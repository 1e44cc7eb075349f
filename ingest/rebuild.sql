-- What it takes to make the states anew from the observations.

-- name: patients_with_state
select patient_id from patient_state order by patient_id

-- name: lock_records
-- Whatever the record is: one that cannot be read is the reason to be here.
select patient_id, machine, (extract(epoch from updated_at) * 1000000)::bigint,
    coalesce((extract(epoch from last_observed_at) * 1000000)::bigint, -9223372036854775807)
from patient_state where patient_id = any(%b::int[]) order by patient_id for update

-- name: observations_of
-- All that has none of these flags: what was scored is what has not Flag.TOO_LATE.
select patient_id, device_id, vital, (extract(epoch from observed_at) * 1000000)::bigint,
    (extract(epoch from received_at) * 1000000)::bigint, value, flags
from observation where patient_id = any(%b::int[]) and flags & %b::smallint = 0

-- name: kept_from
-- From when on each patient's observations are all there still; null where none was deleted.
select p.patient_id, (extract(epoch from r.observations_from) * 1000000)::bigint
from patient p join retention r using (organisation_id)
where p.patient_id = any(%s::int[]) and r.observations_from is not null

-- name: drop_snapshots_of
delete from patient_snapshot where patient_id = any(%b::int[])

-- name: due_anew
-- The common update keeps an earlier instant; here the state is new and so is what falls due.
update patient_state set next_due_at = null where patient_id = any(%b::int[])

-- name: lock_noted
-- Patients of whom something came too late to be scored, the longest waiting first.
select patient_id, machine, (extract(epoch from updated_at) * 1000000)::bigint,
    coalesce((extract(epoch from last_observed_at) * 1000000)::bigint, -9223372036854775807), late_is_told
from patient_state where late_noted_at <= now() - %s::interval
order by late_noted_at for update skip locked limit %s

-- name: corrected
update patient_state set late_noted_at = null, late_is_told = false where patient_id = any(%s::int[])

-- name: taken_back
-- Episodes of which a late observation took something back, but not all.
select distinct e.patient_id, e.rule, (extract(epoch from e.opened_at) * 1000000)::bigint
from episode_event v join episode e using (episode_id)
where v.patient_id = any(%s::int[]) and v.retracted and e.phase <> 'withdrawn'
