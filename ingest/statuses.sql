-- What devices say of themselves, one row a device.

-- name: write_statuses
-- A Last Will may come after the device has connected anew: it names its session, and another one's says nothing of this.
insert into device_standing as s (device_id, organisation_id, online, since, session, battery, firmware, trouble,
    reported_at)
select d.device_id, d.organisation_id, u.online, case when u.online is not null then u.at end, u.session, u.battery,
    u.firmware, u.trouble, u.at
from (select code, hub, online, session, battery, firmware, trouble,
        timestamptz 'epoch' + at_us * interval '1 microsecond' as at
    from unnest(%(codes)s::text[], %(hubs)s::text[], %(online)s::boolean[], %(sessions)s::text[],
        %(batteries)s::smallint[], %(firmware)s::text[], %(troubles)s::text[], %(at)s::bigint[])
        as given (code, hub, online, session, battery, firmware, trouble, at_us)) u
join device d on d.code = u.code and d.retired_at is null
left join device h on h.device_id = d.hub_id
where u.hub = '' or h.code = u.hub
order by d.device_id
on conflict (device_id) do update set
    online = coalesce(excluded.online, s.online),
    since = case when excluded.online is null or excluded.online = s.online then s.since else excluded.since end,
    session = case when excluded.online is null then s.session else excluded.session end,
    battery = coalesce(excluded.battery, s.battery),
    firmware = coalesce(excluded.firmware, s.firmware),
    trouble = excluded.trouble,
    reported_at = excluded.reported_at
where not (s.online and excluded.online is not distinct from false and s.session <> ''
           and excluded.session <> '' and excluded.session <> s.session)
