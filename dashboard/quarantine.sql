-- What waits in quarantine, by cause: the same reason, source (the sender's code, else the topic) and device. What is
-- tried again is found in the same way by ingest/quarantine.sql.

-- name: causes
with waiting as (
    select q.quarantine_id, q.reason, coalesce(nullif(q.sender, ''), q.topic) as source,
           coalesce(q.device_id, 0) as device_id, q.observations, q.received_at
    from quarantine q where q.status = 'waiting'
), cause as (
    select reason, source, device_id, count(*) as messages, sum(observations) as observations,
           min(received_at) as first_at, max(received_at) as last_at, max(quarantine_id) as up_to,
           count(*) over () as total
    from waiting group by reason, source, device_id
    order by max(received_at) desc limit %(limit)s
)
select c.*, d.code as device, d.kind from cause c left join device d using (device_id)
order by c.last_at desc;

-- name: newest_of_causes
select g.place, m.*
from unnest(%(reasons)s::text[], %(sources)s::text[], %(devices)s::integer[]) with ordinality
    as g (reason, source, device_id, place)
cross join lateral (
    select q.quarantine_id, q.detail, q.observations, q.received_at, length(q.payload) as payload_bytes,
           substring(q.payload from 1 for %(shown)s) as payload,
           -- of whom it may tell
           array(select a.patient_id from device_assignment a
                 where a.device_id = q.device_id and a.during @> q.received_at
                 union select q.patient_id where q.patient_id is not null) as patients
    from quarantine q
    where q.status = 'waiting' and q.reason = g.reason and coalesce(nullif(q.sender, ''), q.topic) = g.source
      and coalesce(q.device_id, 0) = g.device_id
    order by q.quarantine_id desc limit %(each)s
) m
order by g.place, m.quarantine_id desc;

-- name: waiting
-- The next messages of a choice that can be tried again, with how many there are in all. Ingest, which tries them, sees
-- everybody's: this says which are this person's to see.
select q.quarantine_id, count(*) over () as total from quarantine q
where q.status = 'waiting' and q.reason <> 'not_kept' and q.quarantine_id > %(after)s and q.quarantine_id <= %(up_to)s
  and (%(items)s::bigint[] is null or q.quarantine_id = any (%(items)s))
  and (%(reason)s::text is null or q.reason = %(reason)s)
  and (%(source)s::text is null or coalesce(nullif(q.sender, ''), q.topic) = %(source)s)
  and (%(device)s::integer is null or coalesce(q.device_id, 0) = %(device)s)
order by q.quarantine_id limit %(limit)s;

-- name: discard
with chosen as (
    select quarantine_id from quarantine q
    where q.status = 'waiting' and q.quarantine_id > %(after)s and q.quarantine_id <= %(up_to)s
      and (%(items)s::bigint[] is null or q.quarantine_id = any (%(items)s))
      and (%(reason)s::text is null or q.reason = %(reason)s)
      and (%(source)s::text is null or coalesce(nullif(q.sender, ''), q.topic) = %(source)s)
      and (%(device)s::integer is null or coalesce(q.device_id, 0) = %(device)s)
    order by quarantine_id limit %(limit)s
    for update skip locked
)
update quarantine q set status = 'discarded', note = %(note)s, handled_by = %(account)s, handled_at = now()
from chosen where q.quarantine_id = chosen.quarantine_id
returning q.quarantine_id;

-- name: newest
select coalesce(max(quarantine_id), 0) as up_to from quarantine;

-- name: device_in_use
select device_id, code from device where device_id = %(device)s and retired_at is null;

-- name: assign
insert into device_assignment (organisation_id, device_id, patient_id, device_user, during)
values (%(organisation)s, %(device)s, %(patient)s, %(user)s, tstzrange(%(since)s, %(until)s));
