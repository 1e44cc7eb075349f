-- The accounts of an organisation. What is written here is refused by the database to everybody but an administrator,
-- except what is one's own: password, links, sign-ins.

-- name: accounts
select a.account_id, a.sign_in, a.name, a.role, a.all_sites, a.disabled_at, a.created_at, a.second_factor_at,
    a.password_changed_at, a.locked_until > now() as is_locked, now() as now,
    coalesce((select array_agg(s.name order by s.name) from account_site x join site s using (site_id)
              where x.account_id = a.account_id), '{}') as sites,
    coalesce((select array_agg(x.site_id order by x.site_id) from account_site x
              where x.account_id = a.account_id), '{}') as site_ids,
    (select max(l.expires_at) from account_link l where l.account_id = a.account_id and l.used_at is null
        and l.expires_at > now()) as link_expires_at,
    (select max(n.seen_at) from session n where n.account_id = a.account_id and n.expires_at > now()) as seen_at,
    count(*) over () as total
from account a
where (%(account)s::integer is null or a.account_id = %(account)s)
  and (%(role)s::text is null or a.role = %(role)s)
  and (%(disabled)s or a.disabled_at is null)
  and (%(search)s::text is null or a.name ilike %(search)s or a.sign_in ilike %(search)s)
  and (%(after_name)s::text is null or (lower(a.name), a.account_id) > (lower(%(after_name)s), %(after_id)s))
order by lower(a.name), a.account_id
limit %(limit)s

-- name: lock_account
select account_id, name, role, all_sites, disabled_at, sign_in from account where account_id = %(account)s for update

-- name: add_account
insert into account (organisation_id, sign_in, name, role, all_sites)
values (%(organisation)s, %(sign_in)s, %(name)s, %(role)s, %(all_sites)s) returning account_id

-- name: change_account
update account set name = %(name)s, role = %(role)s, all_sites = %(all_sites)s where account_id = %(account)s

-- name: disable
update account set disabled_at = now() where account_id = %(account)s and disabled_at is null

-- name: enable
update account set disabled_at = null, failed_sign_ins = 0, locked_until = null where account_id = %(account)s

-- name: remove_sites
delete from account_site where account_id = %(account)s

-- name: add_sites
insert into account_site (account_id, site_id, organisation_id)
select %(account)s, s.site_id, s.organisation_id from site s where s.site_id = any (%(sites)s::integer[])
returning site_id

-- name: void_links
update account_link set expires_at = now() where account_id = %(account)s and used_at is null and expires_at > now()

-- name: add_link
insert into account_link (token_hash, organisation_id, account_id, created_by, expires_at)
values (%(hash)s, %(organisation)s, %(account)s, %(by)s, %(expires_at)s)

-- name: use_link
update account_link set used_at = now()
where token_hash = %(hash)s and used_at is null and expires_at > now()
returning account_id

-- name: set_password
update account set password_hash = %(password_hash)s, password_changed_at = now(), failed_sign_ins = 0,
    locked_until = null
where account_id = %(account)s

-- name: sessions
select session_id, created_at, seen_at, expires_at, method, agent, token_hash = %(own)s as is_this, now() as now
from session where account_id = %(account)s and expires_at > now() order by seen_at desc, session_id desc

-- name: end_session
delete from session where account_id = %(account)s and session_id = %(session)s returning token_hash

-- name: end_other_sessions
delete from session where account_id = %(account)s and token_hash <> %(own)s returning token_hash

-- name: tell_ended
select pg_notify('homeward_session', encode(%(hash)s, 'hex'))

-- name: own_hash
select f.password_hash, coalesce(f.locked_until > now(), false) as is_locked
from account a, account_for_sign_in(a.sign_in) f where a.account_id = %(account)s

-- name: names
select account_id, name from account order by lower(name)

-- name: own_names
select sign_in, name from account where account_id = %(account)s

-- name: identities
select issuer, subject, linked_at from external_identity where account_id = %(account)s order by linked_at

-- name: add_identity
insert into external_identity (issuer, subject, organisation_id, account_id)
values (%(issuer)s, %(subject)s, %(organisation)s, %(account)s)

-- name: remove_identities
delete from external_identity where account_id = %(account)s returning subject

-- name: second_factor_roles
select second_factor_roles as roles from organisation

-- name: set_second_factor_roles
update organisation set second_factor_roles = %(roles)s::text[]

-- name: rules
select r.rule_id, r.issuer, r.claim, r.value, r.role, r.site_id, s.name as site
from identity_rule r left join site s using (site_id) order by r.rule_id

-- name: add_rule
insert into identity_rule (organisation_id, issuer, claim, value, role, site_id)
values (%(organisation)s, %(issuer)s, %(claim)s, %(value)s, %(role)s, %(site)s) returning rule_id

-- name: remove_rule
delete from identity_rule where rule_id = %(rule)s returning rule_id
