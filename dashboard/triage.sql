-- Who needs somebody first? The list in its parts, each of which the database can answer without reading every patient:
-- who has an open episode, the others by name, or whoever a search finds. As in queries.sql, each runs for the person at
-- work, and row-level security has already decided whose patients exist.

-- name: counts
-- Patients, not episodes: a patient counts once, at the worst severity that is open.
with open as (
    select e.patient_id,
           max(e.severity) as severity,
           bool_or(not e.held) as waiting,
           min(e.activated_at) filter (where not e.held) as since,
           bool_or(e.rule = any (%(overdue_rules)s::text[])) as not_reporting
    from (select *, acknowledged_at is not null or coalesce(snoozed_until > now(), false) as held from episode) e
    where e.phase = 'active' and (%(site)s::integer is null or e.site_id = %(site)s)
    group by e.patient_id
)
select count(*) filter (where severity = 3) as red,
       count(*) filter (where severity = 3 and waiting) as red_waiting,
       count(*) filter (where severity = 2) as amber,
       count(*) filter (where severity = 2 and waiting) as amber_waiting,
       count(*) filter (where severity = 1) as yellow,
       count(*) filter (where severity = 1 and waiting) as yellow_waiting,
       count(*) filter (where waiting) as waiting,
       percentile_cont(0.5) within group (order by extract(epoch from now() - since)) filter (where waiting)
           as median_waiting_s,
       extract(epoch from now() - min(since)) as longest_waiting_s,
       count(*) filter (where not_reporting) as not_reporting
from open o
-- who sees an episode sees its patient: so it is enough to leave out the few who were discharged since
where not exists (select from patient p where p.patient_id = o.patient_id and p.discharged_at is not null)
  and (%(pathway)s::integer is null or exists (select from enrolment n where n.patient_id = o.patient_id
       and n.ended_at is null and n.pathway_id = %(pathway)s));

-- name: with_episode
-- Patients with an open episode, worst first, then whoever waits for a response, then whoever has waited longest.
with worst as (
    select distinct on (e.patient_id) e.patient_id, e.episode_id, e.rule, e.severity,
           coalesce(e.activated_at, e.opened_at) as since, e.sentence, e.acknowledged_at, e.acknowledged_by, e.held,
           case when e.snoozed then e.snoozed_until end as snoozed_until,
           bool_or(not e.held) over mine as is_waiting,
           bool_or(e.rule = any (%(overdue_rules)s::text[])) over mine as is_not_reporting,
           bool_or(case %(owner)s when 'mine' then e.acknowledged_by = %(account)s
                                  when 'nobody' then e.acknowledged_by is null and not e.snoozed
                                  when 'somebody' then e.acknowledged_by is not null
                                  when 'snoozed' then e.snoozed
                                  else true end) over mine as is_owned_so
    from (select x.*, x.acknowledged_at is not null or x.snoozed as held
          from (select *, coalesce(snoozed_until > now(), false) as snoozed from episode where phase = 'active') x) e
    where %(site)s::integer is null or e.site_id = %(site)s
    window mine as (partition by e.patient_id)
    order by e.patient_id, e.severity desc, e.held, e.activated_at, e.episode_id
),
listed as (
    select w.*, count(*) over () as total
    from worst w
    where w.severity = any (%(severities)s::smallint[])
      and (w.is_waiting or not %(waiting)s) and (w.is_not_reporting or not %(not_reporting)s) and w.is_owned_so
      and not exists (select from patient p where p.patient_id = w.patient_id and p.discharged_at is not null)
      and (%(name)s::text is null and %(nhs)s::text is null
           or exists (select from patient p where p.patient_id = w.patient_id
                      and (%(name)s::text is null or p.searched like %(name)s)
                      and (%(nhs)s::text is null or p.nhs_number like %(nhs)s)))
      and (%(pathway)s::integer is null or exists (select from enrolment n where n.patient_id = w.patient_id
           and n.ended_at is null and n.pathway_id = %(pathway)s))
    order by w.severity desc, w.held, w.since, w.patient_id
    limit %(limit)s offset %(offset)s
)
select l.*, p.family_name, p.given_name, p.nhs_number, p.room, s.name as site, s.time_zone, a.name as acknowledged_name
from listed l
join patient p using (patient_id)
join site s using (site_id)
left join account a on a.account_id = l.acknowledged_by
order by l.severity desc, l.held, l.since, l.patient_id;

-- name: without_episode
-- Patients without an open episode, by name: they follow after those with one.
with listed as (
    select p.patient_id
    from patient p
    where p.discharged_at is null
      and (%(site)s::integer is null or p.site_id = %(site)s)
      and (%(pathway)s::integer is null or p.patient_id in (select n.patient_id from enrolment n
           where n.ended_at is null and n.pathway_id = %(pathway)s))
      and not exists (select from episode e where e.patient_id = p.patient_id and e.phase = 'active')
    order by p.family_name, p.given_name, p.patient_id
    limit %(limit)s offset %(offset)s
)
select p.patient_id, p.family_name, p.given_name, p.nhs_number, p.room, s.name as site, s.time_zone
from listed join patient p using (patient_id) join site s using (site_id)
order by p.family_name, p.given_name, p.patient_id;

-- name: in_care
-- With and without an open episode: everybody is in one part of the list or the other.
select count(*) as total
from patient p
where p.discharged_at is null
  and (%(site)s::integer is null or p.site_id = %(site)s)
  and (%(pathway)s::integer is null or p.patient_id in (select n.patient_id from enrolment n
       where n.ended_at is null and n.pathway_id = %(pathway)s));

-- name: found
-- Whoever a search finds, in the order of the whole list.
with matching as materialized (
    select p.patient_id
    from patient p
    where p.discharged_at is null
      and (%(site)s::integer is null or p.site_id = %(site)s)
      and (%(name)s::text is null or p.searched like %(name)s)
      and (%(nhs)s::text is null or p.nhs_number like %(nhs)s)
),
worst as (
    select distinct on (e.patient_id) e.patient_id, e.episode_id, e.rule, e.severity,
           coalesce(e.activated_at, e.opened_at) as since, e.sentence, e.acknowledged_at, e.acknowledged_by, e.held,
           case when e.snoozed then e.snoozed_until end as snoozed_until
    from (select x.*, x.acknowledged_at is not null or x.snoozed as held
          from (select *, coalesce(snoozed_until > now(), false) as snoozed from episode where phase = 'active') x) e
    order by e.patient_id, e.severity desc, e.held, e.activated_at, e.episode_id
),
listed as (
    select m.patient_id, w.episode_id, w.rule, w.severity, w.since, w.sentence, w.acknowledged_at, w.acknowledged_by,
           w.held, w.snoozed_until, count(*) over () as total
    from matching m left join worst w using (patient_id)
    where %(pathway)s::integer is null or exists (select from enrolment n where n.patient_id = m.patient_id
          and n.ended_at is null and n.pathway_id = %(pathway)s)
    order by w.severity desc nulls last, w.held, w.since, m.patient_id
    limit %(limit)s offset %(offset)s
)
select l.*, p.family_name, p.given_name, p.nhs_number, p.room, s.name as site, s.time_zone, a.name as acknowledged_name
from listed l
join patient p using (patient_id)
join site s using (site_id)
left join account a on a.account_id = l.acknowledged_by
order by l.severity desc nulls last, l.held, l.since, l.patient_id;

-- name: waiting_by_site
-- How many patients wait for a response at each site.
select e.site_id, count(distinct e.patient_id) as waiting
from episode e
where e.phase = 'active' and e.acknowledged_at is null and not coalesce(e.snoozed_until > now(), false)
  and exists (select from patient p where p.patient_id = e.patient_id and p.discharged_at is null)
group by e.site_id;

-- name: pathways
select pathway_id, title from pathway where policy_id is not null order by title;

-- name: names_of_episodes
select e.episode_id, e.patient_id, p.given_name, p.family_name
from episode e join patient p using (patient_id)
where e.episode_id = any (%(episodes)s::bigint[]);

-- name: news
-- What was raised or rose since a page last asked: of the patients whom the push named, or of all where it named none.
select distinct on (e.patient_id) e.patient_id, p.given_name, p.family_name, s.name as site, p.room, e.severity,
       e.rule, e.sentence, e.explanation, last.kind = 'activated' as is_new
from episode e
join patient p using (patient_id)
join site s on s.site_id = p.site_id
cross join lateral (
    select v.kind, v.severity, v.recorded_at, lag(v.severity) over (order by v.at, v.event_id) as before
    from episode_event v
    where v.episode_id = e.episode_id and v.kind in ('activated', 'severity') and not v.retracted
    order by v.at desc, v.event_id desc
    limit 1
) last
where e.phase = 'active' and not e.retrospective and p.discharged_at is null
  and (%(patients)s::integer[] is null or e.patient_id = any (%(patients)s))
  and (%(site)s::integer is null or e.site_id = %(site)s)
  and e.updated_at > %(since)s and last.recorded_at > %(since)s
  and (last.kind = 'activated' or last.severity > last.before)
order by e.patient_id, e.severity desc, e.activated_at
limit 200;

-- name: intake
-- Since when nothing has been taken in: null where ingest says that it runs, or where it was never here to be missed.
select now() as now, (select case when max(seen_at) < now() - interval '90 seconds' then max(seen_at) end
                      from service_instance where service = 'ingest' and seen_at > now() - interval '1 day') as silent_since;
