-- What a person does to episodes and patients. Every statement runs in a transaction that acts for that person, so what
-- they may not see is not there.

-- name: lock_episodes
-- In the order of their numbers, so that two people who take on overlapping lists wait for each other once.
select episode_id, patient_id, severity, phase, acknowledged_by, acknowledged_at, snoozed_until > now() as is_snoozed
from episode where episode_id = any(%(episodes)s::bigint[])
order by episode_id
for update

-- name: names
-- Asked after the lock: joined to it, the row of whoever was first would be missing for whoever waited.
select account_id, name from account where account_id = any(%(accounts)s::integer[])

-- name: acknowledge
update episode set acknowledged_by = %(account)s, acknowledged_at = now(), updated_at = now(),
    acknowledged_severity = case when phase = 'active' then severity else peak_severity end
where episode_id = any(%(episodes)s::bigint[])

-- name: release
-- Whoever is to be told next does not wait for somebody to look: the ladder begins again.
with released as (
    update episode set acknowledged_by = null, acknowledged_at = null, acknowledged_severity = null, updated_at = now()
    where episode_id = any(%(episodes)s::bigint[])
    returning organisation_id, episode_id, severity, phase
)
insert into notification_job (organisation_id, episode_id, key, severity)
select organisation_id, episode_id, concat_ws(':', episode_id, severity, 'released', extract(epoch from now())), severity
from released where phase = 'active'
on conflict do nothing

-- name: snooze
-- Its ladder begins again when the snooze ends.
with snoozed as (
    update episode set snoozed_until = %(until)s, snoozed_severity = severity, updated_at = now()
    where episode_id = any(%(episodes)s::bigint[])
    returning organisation_id, episode_id, severity, snoozed_until
)
insert into notification_job (organisation_id, episode_id, key, severity, run_at)
select organisation_id, episode_id, concat_ws(':', episode_id, severity, 'snoozed', extract(epoch from now())), severity,
    snoozed_until
from snoozed
on conflict do nothing

-- name: resume
update episode set snoozed_until = null, snoozed_severity = null, updated_at = now()
where episode_id = any(%(episodes)s::bigint[])

-- name: add_events
insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity, account_id, note)
select organisation_id, episode_id, patient_id, %(kind)s, now(), severity, %(account)s, %(note)s
from episode where episode_id = any(%(episodes)s::bigint[])

-- name: visible_patient
select patient_id, organisation_id from patient where patient_id = %(patient)s

-- name: add_note
insert into note (organisation_id, patient_id, account_id, body, key, kind, outcome)
values (%(organisation)s, %(patient)s, %(account)s, %(body)s, %(key)s, %(kind)s, %(outcome)s)
on conflict (patient_id, key) where key is not null do nothing
returning note_id

-- name: note_with_key
select note_id from note where patient_id = %(patient)s and key = %(key)s

-- name: tell_browsers
select pg_notify('homeward_live', %(payload)s)
