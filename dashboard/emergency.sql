-- Break-glass: the function does the work, writes the entry in the audit log, and refuses everybody but a clinician.

-- name: open
select open_in_emergency(%(nhs_number)s, %(born_on)s, %(reason)s, %(minutes)s) as patient

-- name: accesses
select e.access_id, e.account_id, a.name as account, e.patient_id, e.reason, e.started_at, e.expires_at,
    e.expires_at > now() as is_open, count(*) over () as total
from emergency_access e join account a using (account_id)
where %(before)s::bigint is null or e.access_id < %(before)s
order by e.access_id desc limit %(limit)s

-- name: present
select e.expires_at, e.reason, s.time_zone
from emergency_access e join patient p using (patient_id) join site s using (site_id)
where e.patient_id = %(patient)s and e.account_id = %(account)s and e.expires_at > now()
order by e.expires_at desc limit 1
