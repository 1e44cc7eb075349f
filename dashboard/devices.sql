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
