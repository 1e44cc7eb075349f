-- Resetting a latched episode. The patient's state is waited for before the episode, in the order in which whoever scores
-- takes them.

-- name: patient_of
select patient_id from episode where episode_id = %(episode)s

-- name: look_at
select look_at_patient(%(patient)s) as at

-- name: lock_episode
-- It waits for a reset where the last that the core said of it is that its condition is over.
select e.phase = 'active' and (select v.kind from episode_event v where v.episode_id = e.episode_id and not v.retracted
        and v.kind in ('activated', 'severity', 'cleared', 'resolved')
    order by v.at desc, v.event_id desc limit 1) = 'cleared' as waits
from episode e where e.episode_id = %(episode)s for update

-- name: reset
insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity, account_id, note)
select organisation_id, episode_id, patient_id, 'reset', %(at)s, severity, %(account)s, %(note)s
from episode where episode_id = %(episode)s
