-- A patient in hospital or away is paused. Each statement runs in a transaction that acts for the person at work.

-- name: look_at
-- Waits for whoever is scoring the patient; gives the instant at which the act takes effect: now, although a device whose
-- clock is ahead may have sent an observation from later.
select least(look_at_patient(%(patient)s), clock_timestamp()) as at

-- name: pause_in_force
select x.pause_id, x.since, x.ends_at as until, x.reason, a.name as by
from patient_pause x left join account a using (account_id)
where x.patient_id = %(patient)s and x.since <= now() and least(x.ends_at, x.lifted_at) > now()
order by x.pause_id desc limit 1

-- name: lift
update patient_pause set lifted_at = greatest(since, %(at)s), lifted_by = %(account)s
where patient_id = %(patient)s and least(ends_at, lifted_at) > %(at)s
returning pause_id

-- name: begin
insert into patient_pause (organisation_id, patient_id, since, ends_at, reason, account_id)
values (%(organisation)s, %(patient)s, %(at)s, %(until)s, %(reason)s, %(account)s)
