-- Reading the audit log: for those who check it, as row-level security says.

-- name: entries
select l.audit_id, l.at, l.account_id, a.name as account, a.sign_in, l.action, l.object, l.detail,
    encode(l.hash, 'hex') as hash
from audit_log l left join account a using (account_id)
where (%(account)s::integer is null or l.account_id = %(account)s)
  and (%(about)s::integer is null or l.object = 'patient/' || %(about)s or l.object = 'patient:' || %(about)s
       or l.detail @> jsonb_build_object('patient', %(about)s::integer)
       or l.detail @> jsonb_build_object('patients', jsonb_build_array(%(about)s::integer)))
  and (%(action)s::text is null or l.action = %(action)s)
  and (%(since)s::timestamptz is null or l.at >= %(since)s)
  and (%(until)s::timestamptz is null or l.at < %(until)s)
  and (%(before)s::bigint is null or l.audit_id < %(before)s)
order by l.audit_id desc limit %(limit)s

-- name: actions
-- Each different action by a jump in the index, not by reading the log.
with recursive known as (
    (select action from audit_log order by action limit 1)
    union all
    select (select l.action from audit_log l where l.action > k.action order by l.action limit 1)
    from known k where k.action is not null)
select action from known where action is not null order by action

-- name: by_nhs_number
select patient_of_nhs_number(%(nhs_number)s) as number

-- name: names
-- What the numbers in entries are called, as far as whoever reads may see it.
select 'account' as kind, account_id::bigint as number, name from account where account_id = any (%(account)s::integer[])
union all
select 'site', site_id, name from site where site_id = any (%(site)s::integer[])
union all
select 'patient', patient_id, given_name || ' ' || family_name from patient where patient_id = any (%(patient)s::integer[])
union all
select 'device', device_id, code from device where device_id = any (%(device)s::integer[])
union all
select 'episode', e.episode_id, p.given_name || ' ' || p.family_name
from episode e join patient p using (patient_id) where e.episode_id = any (%(episode)s::bigint[])
