-- The life of a device: registered, placed, given to somebody and taken back, retired. From the pages each statement runs
-- for the person at work; from the command line as homeward_admin for one organisation. So what is not theirs is not there.

-- name: add_device
insert into device (organisation_id, site_id, hub_id, code, kind, lane)
values (%(organisation)s, %(site)s, %(hub)s, %(code)s, %(kind)s, %(lane)s)
on conflict (code) do nothing
returning device_id

-- name: device
select device_id, code, kind, lane, site_id, hub_id, retired_at from device where code = %(code)s

-- name: lock_device
-- Two who change the same device wait for each other; of what the second then finds it speaks.
select d.device_id, d.code, d.kind, d.lane, d.site_id, d.hub_id, d.retired_at from device d
where d.device_id = %(device)s for update

-- name: spoken_for
-- A hub's devices, by the hub's code: what its login may publish for.
select h.code as hub, coalesce(array_agg(d.code order by d.code) filter (where d.code is not null), '{}') as devices
from device h left join device d on d.hub_id = h.device_id and d.retired_at is null
where h.device_id = any(%(hubs)s::integer[]) and h.retired_at is null group by h.code

-- name: overlapping
-- Whom the device, or this user of it, has in a span. What is in force and began before the span may be ended by it.
select a.patient_id, lower(a.during) as since, upper(a.during) as until,
    upper_inf(a.during) and coalesce(lower(a.during) < %(since)s, true) and %(until)s::timestamptz is null as may_end
from device_assignment a
where a.device_id = %(device)s and a.device_user = %(user)s and a.during && tstzrange(%(since)s, %(until)s)

-- name: end_assignments
update device_assignment set during = tstzrange(lower(during), greatest(%(at)s, lower(during) + interval '1 microsecond'))
where device_id = %(device)s and (upper_inf(during) or upper(during) > %(at)s)
  and (%(user)s::int is null or device_user = %(user)s)
returning patient_id, device_user

-- name: patient
select patient_id, site_id from patient where patient_id = %(patient)s and discharged_at is null

-- name: assign
insert into device_assignment (organisation_id, device_id, device_user, patient_id, during)
values (%(organisation)s, %(device)s, %(user)s, %(patient)s, tstzrange(%(since)s, %(until)s))

-- name: assignments
select a.patient_id, p.given_name, p.family_name, a.device_user as "user", lower(a.during) as since,
    upper(a.during) as until
from device_assignment a left join patient p using (patient_id)
where a.device_id = %(device)s order by lower(a.during) desc nulls last, a.device_user limit %(limit)s

-- name: placements
select p.site_id, s.name as site, lower(p.during) as since, upper(p.during) as until
from device_placement p join site s using (site_id)
where p.device_id = %(device)s order by lower(p.during) desc nulls last limit %(limit)s

-- name: place
update device set site_id = %(site)s where device_id = %(device)s

-- name: shorten_placement
-- The device was there longer than since now: what the move made is moved back.
update device_placement set during = tstzrange(lower(during), %(since)s)
where device_id = %(device)s and not upper_inf(during) and during @> %(since)s::timestamptz

-- name: lengthen_placement
update device_placement set during = tstzrange(%(since)s, null) where device_id = %(device)s and upper_inf(during)

-- name: retire
update device set retired_at = now() where device_id = %(device)s

-- name: resident_code
select resident_code from patient where patient_id = %(patient)s and discharged_at is null for update

-- name: set_resident_code
update patient set resident_code = %(code)s where patient_id = %(patient)s

-- name: sites
select site_id, name, kind from site order by name

-- name: set_zone
update device set time_zone = %(zone)s where device_id = %(device)s

-- name: count_devices
-- Of how many devices the list below is, and how many each of its filters would leave.
select count(*) filter (where d.retired_at is null) as in_use,
    count(*) filter (where d.retired_at is null and t.online is false) as offline,
    count(*) filter (where d.retired_at is null and d.kind <> 'manual' and t.online is null) as silent,
    count(*) filter (where d.retired_at is null and d.kind not in ('hub', 'manual') and not exists (
        select from device_assignment a where a.device_id = d.device_id and a.during @> now())) as unassigned,
    count(*) filter (where d.retired_at is null and t.battery <= %(low)s) as battery,
    count(*) filter (where d.retired_at is null and (c.unset_at >= c.heard_at or cardinality(c.delays_us) > 0
        and (c.skew_us >= %(ahead_us)s or c.skew_us <= -%(behind_us)s))) as clock,
    count(*) filter (where d.retired_at is not null) as retired
from device d left join device_standing t using (device_id) left join device_clock c using (device_id)
where %(site)s::integer is null or d.site_id = %(site)s

-- name: list_devices
-- The costly parts are looked up for the rows that are shown, not for all that match.
with chosen as materialized (
    select d.device_id, d.code, d.kind, d.lane, d.site_id, d.hub_id, d.retired_at, d.time_zone as clock_zone, t.online, t.since, t.battery,
        t.firmware, t.trouble, t.reported_at, c.heard_at, case when cardinality(c.delays_us) > 0 then c.skew_us end as skew_us,
        c.unset_at >= c.heard_at as clock_unset,
        coalesce(e.messages, 0) as messages_parked, coalesce(e.not_kept, 0) as messages_not_kept,
        e.last_at as parked_at,
        count(*) over () as total
    from device d left join device_standing t using (device_id) left join device_clock c using (device_id)
        left join device_excess e using (device_id)
    where (%(site)s::integer is null or d.site_id = %(site)s)
      and (%(kind)s::text is null or d.kind = %(kind)s)
      and (%(device)s::integer is null or d.device_id = %(device)s)
      and case %(state)s::text
            when 'offline' then d.retired_at is null and t.online is false
            when 'unassigned' then d.retired_at is null and d.kind not in ('hub', 'manual') and not exists (
                select from device_assignment a where a.device_id = d.device_id and a.during @> now())
            when 'battery' then d.retired_at is null and t.battery <= %(low)s
            when 'clock' then d.retired_at is null and (c.unset_at >= c.heard_at or cardinality(c.delays_us) > 0
                and (c.skew_us >= %(ahead_us)s or c.skew_us <= -%(behind_us)s))
            when 'retired' then d.retired_at is not null
            when 'in_use' then d.retired_at is null
            else true end
      and (%(search)s::text is null or d.code ilike %(search)s or d.device_id in (
            select a.device_id from device_assignment a join patient p using (patient_id)
            where a.during @> now() and p.given_name || ' ' || p.family_name ilike %(search)s))
      and (%(after_code)s::text is null or d.code > %(after_code)s)
    order by d.retired_at is not null and %(after_code)s::text is null, d.code
    limit %(limit)s offset %(offset)s)
select c.*, s.name as site, s.time_zone, h.code as hub, coalesce(x.patients, '{}') as patients, x.names,
    o.last_observed_at
from chosen c left join site s on s.site_id = c.site_id left join device h on h.device_id = c.hub_id
left join lateral (
    select array_agg(distinct a.patient_id order by a.patient_id) as patients,
        array_agg(distinct p.given_name || ' ' || p.family_name) filter (where p.patient_id is not null) as names
    from device_assignment a left join patient p using (patient_id)
    where a.device_id = c.device_id and a.during @> now()) x on true
left join lateral (
    select max(v.observed_at) as last_observed_at
    from device_assignment a cross join lateral (
        select o.observed_at from patient_observation o
        where o.patient_id = a.patient_id and o.device_id = c.device_id and o.observed_at > now() - interval '30 days'
        order by o.observed_at desc limit 1) v
    where a.device_id = c.device_id and a.during @> now()) o on true
order by c.retired_at is not null and %(after_code)s::text is null, c.code

-- name: choose_patients
-- Whom a device may be given to, as the person types.
select p.patient_id, p.given_name, p.family_name, p.room, s.name as site
from patient p join site s using (site_id)
where p.discharged_at is null and (p.given_name || ' ' || p.family_name ilike %(search)s or p.nhs_number = %(number)s
    or p.patient_id::text = %(number)s)
    and (%(site)s::integer is null or p.site_id = %(site)s)
order by p.family_name, p.given_name limit 20

-- name: hubs
select code from device where kind = 'hub' and retired_at is null order by code limit 1000
