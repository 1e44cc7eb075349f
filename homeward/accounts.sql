-- What `homeward doctor --accounts` asks, as homeward_ingest, which sees every organisation's devices and no person.

-- name: accounts
-- The store is read once for all devices that number their sets; what else such a device sent before that is not counted.
with speaking as (
    select a.device_id as sender, d.device_id, a.since from device_account a
    join device d on d.device_id = a.device_id or d.hub_id = a.device_id),
stored as (
    select s.sender, count(*) as observations from observation o join speaking s using (device_id)
    where o.received_at >= s.since group by s.sender),
aside as (
    select s.sender, sum(q.observations) as observations from quarantine q join speaking s using (device_id)
    where q.received_at >= s.since and q.status <> 'replayed' group by s.sender)
select d.code as device, lower(a.numbers) as first, upper(a.numbers) - 1 as last,
    coalesce((select array_agg(array[lower(r), upper(r) - 1] order by r)
        from unnest(int8multirange(range_merge(a.numbers)) - a.numbers) r), '{}') as holes,
    a.observations, a.duplicates, coalesce(s.observations, 0) as stored, coalesce(q.observations, 0)::bigint as quarantined,
    coalesce((select min(range_start) from timescaledb_information.chunks
        where hypertable_schema = 'homeward' and hypertable_name = 'observation') > a.since, false) as dropped
from device_account a join device d using (device_id)
left join stored s on s.sender = a.device_id left join aside q on q.sender = a.device_id
order by d.code;

-- name: receipts_without_account
-- Numbers that a sender has a receipt for and that were never noted: there should be none.
select u.device, u.number from unnest(%(devices)s::text[], %(numbers)s::bigint[]) as u(device, number)
left join device d on d.code = u.device left join device_account a using (device_id)
where a.numbers is null or not a.numbers @> u.number order by 1, 2;
