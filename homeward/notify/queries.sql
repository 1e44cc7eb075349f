-- What the notifier asks and writes. It acts for every tenant, on a role that reads no name; the present is the database's
-- clock, so that notifiers on several machines agree, or what a test says it is.

-- name: clock
select clock_timestamp()

-- name: mend_clock_jobs
-- The clock went back: what was to happen in five minutes still is to, and not in an hour and five minutes.
update notification_job set
    run_at = %(now)s + (run_at - greatest(created_at, began_at)), created_at = least(created_at, %(now)s),
    began_at = case when began_at is not null then least(began_at, %(now)s) end
where status = 'waiting' and greatest(created_at, began_at) > %(now)s + interval '5 seconds'

-- name: mend_clock_deliveries
update delivery set run_at = %(now)s, created_at = %(now)s
where status = 'waiting' and (created_at > %(now)s + interval '5 seconds' or run_at > %(now)s + %(longest)s)

-- name: cancel_jobs
-- Nobody waits any more for what was taken on, is over, or was told anew by a later job of the same episode.
with ended as (
    select j.job_id, case
        when e.phase not in ('active', 'pending') then e.phase
        when e.acknowledged_at is not null then 'acknowledged'
        when exists (select from notification_job k where k.episode_id = j.episode_id and k.job_id > j.job_id
                     and k.status = 'waiting') then 'told anew' end as why
    from notification_job j join episode e using (episode_id)
    where j.status = 'waiting'
), locked as (
    select j.job_id, x.why from notification_job j join ended x using (job_id)
    where x.why is not null for update of j skip locked
)
update notification_job j set
    status = case when exists (select from delivery_episode x join delivery d using (delivery_id)
                               where x.job_id = j.job_id and d.status = 'delivered') then 'delivered' else 'cancelled' end,
    outcome = l.why, ended_at = %(now)s
from locked l where l.job_id = j.job_id
returning j.job_id

-- name: cancel_deliveries
-- A message none of whose episodes waits any more, or all of which are told anew, need not go.
update delivery d set status = 'cancelled', outcome = 'no longer needed', ended_at = %(now)s
where d.delivery_id in (
    select w.delivery_id from delivery w
    where w.status = 'waiting' and w.purpose = 'alert'
      and not exists (
          select from delivery_episode x join notification_job j using (job_id) join episode e on e.episode_id = x.episode_id
          where x.delivery_id = w.delivery_id and j.status <> 'cancelled' and e.phase in ('active', 'pending')
            and e.acknowledged_at is null and (e.snoozed_until is null or e.snoozed_until <= %(now)s))
    for update of w skip locked)

-- name: end_snoozes
-- A snooze that a person has ended early: what was to wait for its end is told now.
update notification_job j set run_at = %(now)s
from episode e
where e.episode_id = j.episode_id and j.status = 'waiting' and j.began_at is null and j.run_at > %(now)s
  and j.key like '%%:snoozed:%%' and (e.snoozed_until is null or e.snoozed_until <= %(now)s)

-- name: due_jobs
-- Of what has ended meanwhile nobody is told, whether or not it has been swept up yet.
select j.job_id, j.organisation_id, j.episode_id, j.severity, j.key, j.created_at, j.run_at, j.ladder_id, j.began_at,
    j.steps, j.outcome, p.patient_id, p.site_id, s.name as site, s.time_zone, e.snoozed_until,
    exists (select from patient_pause u where u.patient_id = p.patient_id and u.since <= %(now)s
            and least(u.ends_at, u.lifted_at) > %(now)s) as is_paused
from notification_job j
join episode e using (episode_id)
join patient p on p.patient_id = e.patient_id
join site s on s.site_id = p.site_id
where j.status = 'waiting' and j.run_at <= %(now)s and e.phase in ('active', 'pending') and e.acknowledged_at is null
  and not exists (select from notification_job k where k.episode_id = j.episode_id and k.job_id > j.job_id
                  and k.status = 'waiting')
order by j.severity desc, j.run_at
limit %(most)s
for update of j skip locked

-- name: ladder_of_site
select ladder_id, document from ladder
where organisation_id = %(organisation)s and (site_id = %(site)s or site_id is null)
order by site_id is null, version desc limit 1

-- name: ladder
select ladder_id, document from ladder where ladder_id = %(ladder)s

-- name: rota
select document from rota where organisation_id = %(organisation)s and name = %(name)s order by version desc limit 1

-- name: recent_messages
-- When messages went out about these sites lately, and how urgent they were.
select site_id, created_at, again, max(severity) as severity
from delivery
where site_id = any(%(sites)s::integer[]) and purpose = 'alert' and (step = 0 or again)
  and created_at > %(now)s - %(window)s
group by site_id, created_at, again
order by created_at

-- name: contacts
-- Where people want to be told; who may no longer sign in is told nothing.
select c.contact_id, c.account_id, c.kind
from contact c join account a using (account_id)
where c.organisation_id = %(organisation)s and c.account_id = any(%(accounts)s::integer[])
  and c.verified_at is not null and c.wanted and a.disabled_at is null
order by c.contact_id

-- name: channels
select channel_id, kind from channel
where organisation_id = %(organisation)s and channel_id = any(%(channels)s::integer[]) and retired_at is null

-- name: still_waiting
-- To whom a message about these jobs has not got through yet; one that a sender holds at this moment is among them.
select x.job_id, d.kind, d.channel_id, d.account_id, d.contact_id, d.address
from delivery_episode x join delivery d using (delivery_id)
where x.job_id = any(%(jobs)s::bigint[]) and d.status = 'waiting'

-- name: add_deliveries
insert into delivery (organisation_id, site_id, purpose, kind, channel_id, account_id, contact_id, address, step, tier,
    severity, key, again, created_at, run_at)
select organisation, site, 'alert', kind, channel, account, contact, address, step, tier, severity, key, again, %(now)s,
    %(now)s
from unnest(%(organisation)s::integer[], %(site)s::integer[], %(kind)s::text[], %(channel)s::integer[],
    %(account)s::integer[], %(contact)s::integer[], %(address)s::text[], %(step)s::integer[], %(tier)s::text[],
    %(severity)s::smallint[], %(key)s::text[], %(again)s::boolean[])
    as u(organisation, site, kind, channel, account, contact, address, step, tier, severity, key, again)
on conflict (key) do nothing

-- name: add_delivery_episodes
insert into delivery_episode (organisation_id, delivery_id, job_id, episode_id)
select j.organisation_id, d.delivery_id, j.job_id, j.episode_id
from unnest(%(keys)s::text[], %(jobs)s::bigint[]) as u(key, job_id)
join delivery d using (key) join notification_job j using (job_id)
on conflict do nothing

-- name: hold
-- Nobody is told of a patient who is in hospital or away; afterwards the ladder begins again.
update notification_job set run_at = %(at)s, outcome = %(outcome)s, ladder_id = null, began_at = null, steps = 0
where job_id = %(job)s

-- name: hold_unsent
-- A message that had not gone out when the pause began goes no more: the job's ladder begins again after it.
update notification_job j set run_at = %(at)s, outcome = %(outcome)s, ladder_id = null, began_at = null, steps = 0
from delivery_episode x
where x.delivery_id = %(delivery)s and x.episode_id = any(%(episodes)s::bigint[]) and j.job_id = x.job_id
  and j.status = 'waiting'

-- name: put_off
update notification_job set run_at = %(at)s, outcome = %(outcome)s where job_id = %(job)s

-- name: advance
update notification_job j set ladder_id = u.ladder, began_at = u.began, steps = u.steps, run_at = u.at,
    attempts = least(j.attempts + 1, 32767), outcome = u.outcome
from unnest(%(jobs)s::bigint[], %(ladders)s::integer[], %(began)s::timestamptz[], %(steps)s::integer[],
    %(at)s::timestamptz[], %(outcomes)s::text[]) as u(job_id, ladder, began, steps, at, outcome)
where j.job_id = u.job_id

-- name: end_job
update notification_job set status = 'cancelled', outcome = %(outcome)s, ended_at = %(now)s where job_id = %(job)s

-- name: tell_escalated
insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity, note)
select organisation_id, episode_id, patient_id, 'escalated', %(now)s, severity, %(note)s
from episode where episode_id = any(%(episodes)s::bigint[])

-- name: tell_browsers
-- Of very many at once no page is told which: a notification holds 8,000 bytes.
select pg_notify('homeward_live', json_build_object('organisation', %(organisation)s::integer, 'episodes', true,
    'patients', case when cardinality(%(patients)s::integer[]) <= 200 then to_json(%(patients)s::integer[]) end)::text)

-- name: hurry
-- Nothing of what a job has sent so far got through, and all of it was tried: its next tier is told at once. After the
-- last one there is none: it is told again after the ladder's own minutes.
update notification_job j set run_at = %(now)s
where j.status = 'waiting' and j.run_at > %(now)s and j.run_at < 'infinity' and j.began_at is not null and j.steps > 0
  and j.outcome <> %(repeats)s
  and exists (select from delivery_episode x where x.job_id = j.job_id)
  and not exists (select from delivery_episode x join delivery d using (delivery_id) where x.job_id = j.job_id
                  and (d.status = 'delivered' or (d.status = 'waiting' and d.attempts < %(tries)s)))

-- name: end_jobs
-- All tiers were told: the job is over when something got through, or when nothing can any more.
with over as (
    select j.job_id, bool_or(d.status = 'delivered') as got_through, bool_or(d.status = 'waiting') as goes_on
    from notification_job j join delivery_episode x using (job_id) join delivery d using (delivery_id)
    where j.status = 'waiting' and j.run_at = 'infinity'
    group by j.job_id
)
update notification_job j set status = case when o.got_through then 'delivered' else 'failed' end,
    outcome = case when o.got_through then 'told' else 'nothing got through' end, ended_at = %(now)s
from over o where o.job_id = j.job_id and (o.got_through or not o.goes_on)

-- name: take_delivery
-- The row stays locked while it is sent: another notifier takes another one, and one that is killed lets go at once.
-- Of one urgency what is new goes before what is told again.
select d.delivery_id, d.organisation_id, d.purpose, d.kind, d.channel_id, d.account_id, d.address, d.step, d.tier,
    d.severity, d.key, d.again, d.sealed, d.created_at, d.attempts, s.site_id, s.name as site, s.time_zone,
    k.address as contact, k.verified_at, d.contact_id,
    c.identity, c.settings, c.sealed as channel_sealed, c.retired_at
from delivery d
left join site s on s.site_id = d.site_id
left join contact k on k.contact_id = d.contact_id
left join channel c on c.organisation_id = d.organisation_id
    and (c.channel_id = d.channel_id or (d.channel_id is null and c.kind = d.kind and c.retired_at is null))
where d.status = 'waiting' and d.run_at <= %(now)s
order by d.severity desc, d.again, d.run_at
limit 1
for update of d skip locked

-- name: episodes_of
select x.episode_id, e.patient_id, e.severity, coalesce(e.activated_at, e.opened_at) as since,
    e.phase = 'active' and e.acknowledged_at is null as waits, p.is_paused, n.name
from delivery_episode x
join episode e on e.episode_id = x.episode_id
join names_for_message(%(delivery)s) n on n.episode_id = x.episode_id
cross join lateral (select exists (
    select from patient_pause u where u.patient_id = e.patient_id and u.since <= %(now)s
        and least(u.ends_at, u.lifted_at) > %(now)s)) as p(is_paused)
where x.delivery_id = %(delivery)s
group by x.episode_id, e.patient_id, e.severity, e.activated_at, e.opened_at, e.phase, e.acknowledged_at, p.is_paused, n.name
order by e.severity desc, since

-- name: patients_of
select distinct e.patient_id from delivery_episode x join episode e using (episode_id)
where x.delivery_id = %(delivery)s order by 1

-- name: record
update delivery set status = %(status)s, outcome = %(outcome)s, attempts = attempts + 1, run_at = %(run_at)s,
    sealed = case when %(status)s::text = 'waiting' then sealed end,
    ended_at = case when %(status)s::text <> 'waiting' then %(now)s::timestamptz end
where delivery_id = %(delivery)s

-- name: displays_due
-- At which sites the ladder in force names the display, and nobody has looked lately whether one is connected.
with in_force as (
    select distinct on (organisation_id, site_id) organisation_id, site_id, document
    from ladder order by organisation_id, site_id, version desc
)
select s.site_id, s.organisation_id
from site s
join lateral (
    select f.document from in_force f
    where f.organisation_id = s.organisation_id and (f.site_id = s.site_id or f.site_id is null)
    order by f.site_id is null limit 1
) l on l.document @> '{"tiers": [{"receivers": [{"kind": "wall"}]}]}'
left join site_display d on d.site_id = s.site_id
where d.looked_at is null or d.looked_at > %(now)s or d.looked_at <= %(now)s - %(every)s::interval
order by d.looked_at nulls first
limit %(most)s

-- name: is_first_to_look
select pg_try_advisory_xact_lock(%(lock)s) as is_first

-- name: displays_seen
-- Since when it has been so stands beside it; pages whose sites have changed are told to look again.
insert into site_display (organisation_id, site_id, is_connected, since, looked_at)
select s.organisation_id, s.site_id, u.is_connected, %(now)s, %(now)s
from unnest(%(sites)s::integer[], %(connected)s::boolean[]) as u(site_id, is_connected) join site s using (site_id)
on conflict (site_id) do update set looked_at = excluded.looked_at, is_connected = excluded.is_connected,
    since = case when site_display.is_connected = excluded.is_connected then site_display.since else excluded.since end

-- name: try_displays
-- A display is connected again: what it has missed and is still to be told goes out at once.
update delivery set run_at = %(now)s
where kind = 'wall' and status = 'waiting' and run_at > %(now)s and site_id = any(%(sites)s::integer[])

-- name: standing
select count(*) as waiting, coalesce(extract(epoch from %(now)s - min(created_at)), 0)::float8 as oldest_s
from delivery where status = 'waiting'

-- name: beat
insert into service_instance (instance_id, service, counters) values (%(instance)s, 'notify', %(counters)s)
on conflict (instance_id) do update set seen_at = now(), counters = excluded.counters

-- name: end_instance
update service_instance set counters = %(counters)s, seen_at = now() - interval '1 hour' where instance_id = %(instance)s

-- name: add_key
insert into message_key (public_key) values (%(key)s) on conflict do nothing

-- name: key
select public_key from message_key
