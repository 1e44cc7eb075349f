-- Reading the audit log: for those who check it, as row-level security says.

-- name: entries
select l.audit_id, l.at, l.account_id, a.name as account, a.sign_in, l.action, l.object, l.detail,
    encode(l.hash, 'hex') as hash
from audit_log l left join account a using (account_id)
where (%(account)s::integer is null or l.account_id = %(account)s)
  and (%(patient)s::integer is null or l.object = 'patient/' || %(patient)s or l.object = 'patient:' || %(patient)s
       or l.detail @> jsonb_build_object('patient', %(patient)s::integer)
       or l.detail @> jsonb_build_object('patients', jsonb_build_array(%(patient)s::integer)))
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
