-- What the pages about messages ask and write. Every statement runs for the person at work; who may see or change which rows
-- is the database's to decide, and columns that hold secrets are granted to no page.

-- name: standing
select waiting, oldest_at, failed, nobody, without_ladder from message_standing()

-- name: public_key
select public_key from message_key

-- name: own_contacts
select c.contact_id, c.kind, c.address, c.wanted, c.verified_at, c.code_sent_at, c.code_tries, v.name as vouched_by
from contact c left join account v on v.account_id = c.vouched_by
where c.account_id = %(account)s order by c.kind, c.contact_id

-- name: vouch
-- An address that an administrator enters counts at once; one that waited for its code waits no longer.
insert into contact (organisation_id, account_id, kind, address, verified_at, vouched_by)
values (%(organisation)s, %(account)s, %(kind)s, %(address)s, now(), %(by)s)
on conflict (account_id, kind, address) do update set verified_at = now(), vouched_by = excluded.vouched_by, code_hash = null
    where contact.verified_at is null
returning contact_id

-- name: is_there
select account_id, disabled_at from account where account_id = %(account)s

-- name: add_contact
insert into contact (organisation_id, account_id, kind, address, code_hash, code_sent_at)
values (%(organisation)s, %(account)s, %(kind)s, %(address)s, %(code_hash)s, now())
on conflict (account_id, kind, address) do update set code_hash = excluded.code_hash, code_sent_at = now(), code_tries = 0
    where contact.verified_at is null
returning contact_id

-- name: lock_codes
select pg_advisory_xact_lock(hashtext('homeward.codes'), %(account)s)

-- name: codes_lately
-- Codes cost money and trouble whoever gets them: a person sends a few an hour.
select count(*) as codes from delivery
where account_id = %(account)s and purpose in ('code', 'test') and created_at > now() - interval '1 hour'

-- name: lock_contact
select contact_id, kind, address, verified_at, code_hash, code_tries, code_sent_at > now() - interval '15 minutes' as is_fresh
from contact where contact_id = %(contact)s and account_id = %(account)s for update

-- name: code_tried
update contact set code_tries = code_tries + 1 where contact_id = %(contact)s

-- name: verified
update contact set verified_at = now(), code_hash = null where contact_id = %(contact)s

-- name: set_wanted
update contact set wanted = %(wanted)s where contact_id = %(contact)s and account_id = %(account)s and verified_at is not null
returning contact_id

-- name: remove_contact
delete from contact where contact_id = %(contact)s and account_id = %(account)s returning contact_id

-- name: send
insert into delivery (organisation_id, site_id, purpose, kind, channel_id, account_id, contact_id, key, sealed)
values (%(organisation)s, %(site)s, %(purpose)s, %(kind)s, %(channel)s, %(account)s, %(contact)s, gen_random_uuid()::text,
    %(sealed)s)

-- name: own_deliveries
select d.created_at, d.purpose, d.kind, d.tier, d.severity, d.status, d.outcome, d.attempts, d.ended_at, s.name as site
from delivery d left join site s using (site_id)
where d.account_id = %(account)s order by d.created_at desc, d.delivery_id desc limit 20

-- name: deliveries
-- Whom and how, without the address: those who set ladders up need not know it.
select d.delivery_id, d.created_at, d.purpose, d.kind, d.tier, d.severity, d.status, d.outcome, d.attempts, d.ended_at, d.again,
    s.name as site, coalesce(c.name, a.name) as receiver, d.address <> '' as is_fixed, count(*) over () as total,
    (select count(*) from delivery_episode x where x.delivery_id = d.delivery_id) as episodes
from delivery d
left join site s using (site_id)
left join account a on a.account_id = d.account_id
left join channel c on c.channel_id = d.channel_id
where (%(status)s::text is null or d.status = %(status)s)
order by d.created_at desc, d.delivery_id desc limit %(limit)s

-- name: ladders
-- The one in force of the organisation and of each site.
select distinct on (site_id) ladder_id, site_id, version, document, author, reason, published_at
from ladder order by site_id, version desc

-- name: ladder_versions
select version, author, reason, published_at from ladder
where site_id is not distinct from %(site)s order by version desc limit 20

-- name: next_ladder
select coalesce(max(version), 0) + 1 as version from ladder
where organisation_id = %(organisation)s and site_id is not distinct from %(site)s

-- name: add_ladder
insert into ladder (organisation_id, site_id, version, document, author, reason)
values (%(organisation)s, %(site)s, %(version)s, %(document)s, %(author)s, %(reason)s)
returning ladder_id

-- name: rotas
select distinct on (name) rota_id, name, version, document, author, reason, published_at
from rota order by name, version desc

-- name: next_rota
select coalesce(max(version), 0) + 1 as version from rota where organisation_id = %(organisation)s and name = %(name)s

-- name: add_rota
insert into rota (organisation_id, name, version, document, author, reason)
values (%(organisation)s, %(name)s, %(version)s, %(document)s, %(author)s, %(reason)s)
returning rota_id

-- name: all_sites
select site_id, name, time_zone from site order by name

-- name: reachable
-- Who may be told, and by which ways they can be.
select a.account_id, a.name, a.role,
    coalesce(array_agg(distinct c.kind) filter (where c.verified_at is not null and c.wanted), '{}') as ways
from account a left join contact c using (account_id)
where a.disabled_at is null group by a.account_id order by a.name

-- name: channels
select channel_id, kind, name, identity, settings, created_at from channel where retired_at is null order by kind, name

-- name: add_channel
insert into channel (organisation_id, kind, name, identity, settings, sealed)
values (%(organisation)s, %(kind)s, %(name)s, %(identity)s, %(settings)s, %(sealed)s)
returning channel_id

-- name: retire_channel
update channel set retired_at = now() where channel_id = %(channel)s and retired_at is null returning kind, name

-- name: channel
select channel_id, kind, name from channel where channel_id = %(channel)s and retired_at is null
