-- Whom was told of an alert, whom not, and who can be told at all? Asked for the person at work: of patients whom they see,
-- and never for an address.

-- name: deliveries
-- What became of each message about some episodes; what was no longer needed told nobody.
select x.episode_id, x.job_id, d.created_at, d.ended_at, d.kind, d.tier, d.step, d.again, d.status, d.outcome, d.attempts,
       coalesce(a.name, c.name, '') as receiver, d.address <> '' as is_fixed
from delivery_episode x
join delivery d using (delivery_id)
left join account a on a.account_id = d.account_id
left join channel c on c.channel_id = d.channel_id
where x.episode_id = any (%(episodes)s::bigint[]) and d.purpose = 'alert' and d.status <> 'cancelled'
order by d.created_at, d.step, d.delivery_id

-- name: jobs
-- The newest way up the ladder of each of some episodes, under the version with which it began.
select distinct on (j.episode_id) j.episode_id, j.job_id, j.severity, j.status, j.outcome, j.key, j.created_at, j.began_at,
       j.steps, l.document, case when isfinite(j.run_at) then j.run_at end as run_at
from notification_job j left join ladder l using (ladder_id)
where j.episode_id = any (%(episodes)s::bigint[])
order by j.episode_id, j.job_id desc

-- name: courses
select v.episode_id, v.at, v.severity
from episode_event v
where v.episode_id = any (%(episodes)s::bigint[]) and v.kind in ('activated', 'severity') and not v.retracted
order by v.at, v.event_id

-- name: ladder
-- The ladder in force for a site: its own, else the organisation's.
select l.document from ladder l
where l.site_id is null or l.site_id = %(site)s::integer
order by l.site_id is null, l.version desc
limit 1

-- name: ladders
select distinct on (site_id) site_id, document from ladder order by site_id, version desc

-- name: sites
select site_id, name, time_zone from site order by name

-- name: people
select account_id, name, ways from ways_of_people()

-- name: rotas
select distinct on (name) name, document from rota order by name, version desc

-- name: channels
select channel_id, kind, name from channel where retired_at is null

-- name: displays
select site_id, is_connected, since, now() - looked_at as age from site_display

-- name: notifiers
-- Which ways the notifiers that run have: none is no notifier.
select coalesce(counters -> 'ways', '[]') as ways from service_instance
where service = 'notify' and seen_at > now() - interval '1 minute'
