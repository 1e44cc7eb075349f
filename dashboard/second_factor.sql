-- The second factor of the person at work: row-level security shows them their own, and lets an administrator remove
-- anybody's.

-- name: secret
select secret, confirmed_at, last_step, locked_until > now() as is_locked from second_factor where account_id = %(account)s
for update

-- name: begin
insert into second_factor (organisation_id, account_id, secret) values (%(organisation)s, %(account)s, %(secret)s)
on conflict (account_id) do update set secret = excluded.secret, confirmed_at = null, last_step = 0, failures = 0,
    locked_until = null, created_at = now()
where second_factor.confirmed_at is null
returning account_id

-- name: confirm
update second_factor set confirmed_at = coalesce(confirmed_at, now()), last_step = %(step)s, failures = 0,
    locked_until = null
where account_id = %(account)s

-- name: failed
update second_factor set failures = failures + 1,
    locked_until = case when (failures + 1) %% %(allowed)s = 0 then now() + interval '15 minutes' else locked_until end
where account_id = %(account)s

-- name: cleared
update second_factor set failures = 0, locked_until = null where account_id = %(account)s

-- name: remove
delete from second_factor where account_id = %(account)s

-- name: remove_codes
delete from recovery_code where account_id = %(account)s

-- name: add_codes
insert into recovery_code (organisation_id, account_id, code_hash)
select %(organisation)s, %(account)s, h from unnest(%(hashes)s::bytea[]) h

-- name: use_code
update recovery_code set used_at = now()
where account_id = %(account)s and code_hash = %(hash)s and used_at is null
returning account_id

-- name: codes_left
select count(*) as codes from recovery_code where account_id = %(account)s and used_at is null

-- name: protected
update account set second_factor_at = %(at)s where account_id = %(account)s

-- name: is_required
select role = any (o.second_factor_roles) as required, a.second_factor_at is not null as has
from account a join organisation o using (organisation_id) where a.account_id = %(account)s
