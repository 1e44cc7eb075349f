-- What a sender had too much of: how it is counted, and which of it is read next.

-- name: note_excess
insert into device_excess as x (device_id, organisation_id, messages, not_kept)
select u.device_id, d.organisation_id, u.messages, u.not_kept
from unnest(%s::int[], %s::bigint[], %s::bigint[]) as u(device_id, messages, not_kept) join device d using (device_id)
order by u.device_id
on conflict (device_id) do update set messages = x.messages + excluded.messages,
    not_kept = x.not_kept + excluded.not_kept, last_at = now();

-- name: next_parcel
-- What belongs to no organisation waits for the one who runs the installation.
select quarantine_id, organisation_id from quarantine
where status = 'waiting' and reason = 'too_many' and quarantine_id > %s and organisation_id is not null
order by quarantine_id limit 1;
