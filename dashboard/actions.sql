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
update episode set acknowledged_by = null, acknowledged_at = null, acknowledged_severity = null, updated_at = now()
where episode_id = any(%(episodes)s::bigint[])

-- name: snooze
update episode set snoozed_until = %(until)s, snoozed_severity = severity, updated_at = now()
where episode_id = any(%(episodes)s::bigint[])

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
insert into note (organisation_id, patient_id, account_id, body, key)
values (%(organisation)s, %(patient)s, %(account)s, %(body)s, %(key)s)
on conflict (patient_id, key) where key is not null do nothing
returning note_id

-- name: note_with_key
select note_id from note where patient_id = %(patient)s and key = %(key)s

-- name: tell_browsers
select pg_notify('homeward_live', %(payload)s)
