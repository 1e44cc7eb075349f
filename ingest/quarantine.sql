-- How messages that wait in quarantine are tried again. A cause is a reason, a source, which is the sender's code or else
-- the topic, and a device; dashboard/quarantine.sql groups in the same way.

-- name: waiting
-- Locked, so that of two people who replay the same messages each has some of them and none is tried twice at once.
select q.quarantine_id, q.organisation_id, q.topic, q.payload, q.payload_sha256, q.reason, q.sender,
    coalesce(q.patient_id, 0) as patient_id,
    (extract(epoch from q.received_at) * 1000000)::bigint as received_at
from quarantine q
where q.status = 'waiting' and q.quarantine_id > %(after)s and q.quarantine_id <= %(up_to)s
    -- of these there is nothing to try again: their content was not kept
    and (%(kept)s is false or q.reason <> 'not_kept')
    and (%(nobodys)s and q.organisation_id is null or q.organisation_id = %(organisation)s)
    and (%(items)s::bigint[] is null or q.quarantine_id = any(%(items)s))
    and (%(within)s::bigint[] is null or q.quarantine_id = any(%(within)s))
    and (%(reason)s::text is null or q.reason = %(reason)s)
    and (%(source)s::text is null or coalesce(nullif(q.sender, ''), q.topic) = %(source)s)
    and (%(device)s::int is null or coalesce(q.device_id, 0) = %(device)s)
order by q.quarantine_id limit %(limit)s
for update skip locked;

-- name: left_waiting
select count(*) from quarantine q
where q.status = 'waiting' and q.quarantine_id > %(after)s and q.quarantine_id <= %(up_to)s
    and (%(kept)s is false or q.reason <> 'not_kept')
    and (%(nobodys)s and q.organisation_id is null or q.organisation_id = %(organisation)s)
    and (%(items)s::bigint[] is null or q.quarantine_id = any(%(items)s))
    and (%(within)s::bigint[] is null or q.quarantine_id = any(%(within)s))
    and (%(reason)s::text is null or q.reason = %(reason)s)
    and (%(source)s::text is null or coalesce(nullif(q.sender, ''), q.topic) = %(source)s)
    and (%(device)s::int is null or coalesce(q.device_id, 0) = %(device)s);

-- name: newest
select coalesce(max(quarantine_id), 0) from quarantine;

-- name: rows_of_messages
-- Under which reasons the same messages are kept, whatever became of them.
select q.topic, q.payload_sha256, coalesce(q.patient_id, 0), q.reason from quarantine q
join unnest(%s::text[], %s::bytea[], %s::int[]) as u(topic, payload_sha256, patient_id)
    on q.topic = u.topic and q.payload_sha256 = u.payload_sha256 and coalesce(q.patient_id, 0) = u.patient_id;

-- name: stored_now
update quarantine set status = 'replayed', handled_by = %s, handled_at = now() where quarantine_id = any(%s::bigint[]);

-- name: refused_again
-- Goes on waiting, for what is wrong with it now; whose it is may have become known meanwhile.
update quarantine q set reason = u.reason, detail = u.detail, observations = u.observations,
    organisation_id = coalesce(nullif(u.organisation_id, 0), q.organisation_id),
    device_id = coalesce(nullif(u.device_id, 0), q.device_id)
from unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::int[], %s::int[])
    as u(quarantine_id, reason, detail, observations, organisation_id, device_id)
where q.quarantine_id = u.quarantine_id;

-- name: audit
insert into audit_log (organisation_id, account_id, action, object, detail) values (%s, %s, %s, %s, %s);

-- name: discard
update quarantine set status = 'discarded', note = %s, handled_at = now() where quarantine_id = any(%s::bigint[]);

-- name: causes
select q.reason, coalesce(nullif(q.sender, ''), q.topic) as source, d.code as device, count(*) as messages,
    sum(q.observations)::bigint as observations, max(q.received_at) as last_at,
    (array_agg(q.detail order by q.quarantine_id desc))[1] as detail
from quarantine q left join device d using (device_id)
where q.status = 'waiting' and (q.organisation_id is null or q.organisation_id = %(organisation)s)
    and (%(reason)s::text is null or q.reason = %(reason)s)
group by 1, 2, 3 order by max(q.received_at) desc;

-- name: zones
-- What the clocks of these devices show.
select code, time_zone from device where code = any(%s) and time_zone is not null;
