-- What the patient page asks beyond the list: long spans in buckets, pauses, and everything else that happened.

-- name: observations_long
-- A span of months: the middle and the range of each bucket of every vital sign, however many observations it has.
-- The mean stands for the middle here: a median of half a million values would have to sort them.
select vital, time_bucket(%(width)s::interval, observed_at) as at, count(*) as observations,
       avg(value) as middle, min(value) as low, max(value) as high
from patient_observation
where patient_id = %(patient)s and observed_at > %(since)s and observed_at <= %(until)s and flags & 1 = 0
group by vital, 2
order by vital, 2;

-- name: pauses
select x.since, least(x.ends_at, x.lifted_at) as until, x.ends_at, x.reason, x.lifted_at, a.name as account,
       l.name as lifted_by
from patient_pause x
left join account a on a.account_id = x.account_id
left join account l on l.account_id = x.lifted_by
where x.patient_id = %(patient)s and least(x.ends_at, x.lifted_at) > %(since)s and x.since <= %(until)s
  and least(x.ends_at, x.lifted_at) > x.since
order by x.since desc
limit 100;

-- name: overrides
select o.created_at as at, o.version, o.author, o.reason, o.document::text as document
from enrolment_override o
where o.patient_id = %(patient)s and o.created_at > %(since)s
order by o.created_at desc
limit %(limit)s;

-- name: device_changes
select d.code, d.kind, lower(a.during) as given_at, upper(a.during) as taken_at
from device_assignment a join device d using (device_id)
where a.patient_id = %(patient)s and (lower(a.during) > %(since)s or upper(a.during) > %(since)s)
order by coalesce(upper(a.during), lower(a.during)) desc
limit %(limit)s;

-- name: late_arrivals
-- What came long after it was measured, by the minute in which it came.
select date_trunc('minute', received_at) as at, count(*) as observations, min(observed_at) as first_at,
       max(observed_at) as last_at, count(*) filter (where flags & 32 <> 0) as too_late
from patient_observation
where patient_id = %(patient)s and observed_at > %(since)s and received_at - observed_at > %(longer)s::interval
group by 1
order by 1 desc
limit %(limit)s;

-- name: devices
-- The devices that a patient has now, each with the last that was heard of it for them.
select d.device_id, d.code, d.kind, h.code as hub, lower(a.during) as since, t.last_at, d.retired_at
from device_assignment a
join device d using (device_id)
left join device h on h.device_id = d.hub_id
left join lateral (
    select o.observed_at as last_at from patient_observation o
    where o.patient_id = a.patient_id and o.device_id = d.device_id and o.observed_at > now() - interval '30 days'
    order by o.observed_at desc limit 1
) t on true
where a.patient_id = %(patient)s and a.during @> now()
order by d.kind, d.code;

-- name: pressures
-- The blood pressures of a protocol's days, as they were measured; suspected repeats do not count.
select vital, observed_at, value
from patient_observation
where patient_id = %(patient)s and observed_at > %(since)s and observed_at <= %(until)s
  and vital = any (%(vitals)s::smallint[]) and flags & 1 = 0
order by observed_at
limit 5000;
