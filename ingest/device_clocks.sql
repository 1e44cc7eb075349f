-- What is known of the clocks of devices: a row a device, updated now and then from what has been heard of many.

-- name: note_clocks
-- Of the last little whiles the shortest delays are kept, and their lower quartile is the estimate: neither a few
-- messages that took long, nor a few with a wrong time, move it.
insert into device_clock as c (device_id, organisation_id, delays_us, skew_us, unset_at, heard_at)
select d.device_id, d.organisation_id, u.delays, coalesce(-u.delays[1], 0),
    timestamptz 'epoch' + nullif(u.unset_at, 0) * interval '1 microsecond',
    timestamptz 'epoch' + u.heard_at * interval '1 microsecond'
from (select device_id, case when delay < %(none)b::bigint then array[delay] else '{}' end as delays, unset_at, heard_at
    from unnest(%(devices)b::int[], %(delays)b::bigint[], %(unset)b::bigint[], %(heard)b::bigint[])
        as x(device_id, delay, unset_at, heard_at)) u
join device d using (device_id)
order by d.device_id
on conflict (device_id) do update set
    delays_us = (excluded.delays_us || c.delays_us)[1:16],
    skew_us = coalesce((select -percentile_disc(0.25) within group (order by delay)
        from unnest((excluded.delays_us || c.delays_us)[1:16]) as delay), 0),
    unset_at = greatest(c.unset_at, excluded.unset_at),
    heard_at = greatest(c.heard_at, excluded.heard_at)
