-- How requests come in: who sends, and what was answered before.

-- name: device_of_token
select d.code, d.organisation_id from device_token t join device d using (device_id)
where t.token_hash = %s and d.retired_at is null;

-- name: forget_answers
-- A few at a time, so that no request pays for a day of others.
delete from answered_request where ctid = any (array(
    select ctid from answered_request where answered_at < now() - make_interval(secs => %s)
    order by answered_at limit 100 for update skip locked));

-- name: claim_request
-- Of two at once the second waits here until the first has committed, and then finds its answer.
insert into answered_request (organisation_id, sender, key, asked_sha256) values (%s, %s, %s, %s)
on conflict do nothing returning true;

-- name: earlier_answer
select asked_sha256, status, answer from answered_request where organisation_id = %s and sender = %s and key = %s;

-- name: keep_answer
update answered_request set status = %s, answer = %s where organisation_id = %s and sender = %s and key = %s;
