-- What ingest and the clock ask of the database and write into it. Times travel as microseconds since 1970 UTC; arrays
-- of them are turned into timestamps here, exactly, because the smallest part of an interval is the microsecond.

-- name: devices
select device_id, organisation_id, coalesce(hub_id, 0), code, kind = 'manual', retired_at is not null, time_zone
from device;

-- name: assignments
-- in the order in which they are looked up
select device_id, device_user, patient_id,
    (extract(epoch from greatest(lower(during), '1900-01-01')) * 1000000)::bigint,
    (extract(epoch from least(upper(during), '3000-01-01')) * 1000000)::bigint
from device_assignment order by device_id, device_user, lower(during) nulls first;

-- name: placements
-- where each device was, in the order in which it is looked up
select device_id, site_id,
    (extract(epoch from greatest(lower(during), '1900-01-01')) * 1000000)::bigint,
    (extract(epoch from least(upper(during), '3000-01-01')) * 1000000)::bigint
from device_placement order by device_id, lower(during) nulls first;

-- name: people
-- a patient without a pathway in force is stored and not scored: policy 0
select p.patient_id, p.organisation_id, p.spo2_scale, coalesce(w.policy_id, 0),
    coalesce((extract(epoch from e.started_at) * 1000000)::bigint, 0), p.usual_news2, s.time_zone,
    p.site_id, p.resident_code
from patient p join site s using (site_id)
left join enrolment e on e.patient_id = p.patient_id and e.ended_at is null and p.discharged_at is null
left join pathway w using (pathway_id);

-- name: overrides_in_force
select distinct on (o.enrolment_id) o.patient_id, o.document::text, o.spo2_scale, o.usual_news2
from enrolment_override o join enrolment e using (enrolment_id)
where e.ended_at is null order by o.enrolment_id, o.version desc;

-- name: policies_in_force
select policy_id, version, document from policy where policy_id in (select policy_id from pathway) order by policy_id;

-- name: known_now
-- Has any of these senders, or of these assignments, come into being since the registry was read?
select exists (select from device where code = any(%(codes)s) and retired_at is null)
    or exists (
        select from unnest(%(devices)b::int[], %(users)b::int[], %(times)b::bigint[]) as u(device_id, device_user, at)
        join device_assignment a using (device_id, device_user)
        where a.during @> timestamptz 'epoch' + u.at * interval '1 microsecond')
    or exists (select from patient where resident_code = any(%(residents)s));

-- name: lock_states
select patient_id, machine,
    coalesce((extract(epoch from last_observed_at) * 1000000)::bigint, -9223372036854775807)
from patient_state where patient_id = any(%b::int[]) order by patient_id for update;

-- name: lock_due_states
select patient_id, machine,
    coalesce((extract(epoch from last_observed_at) * 1000000)::bigint, -9223372036854775807)
from patient_state where next_due_at <= timestamptz 'epoch' + %s * interval '1 microsecond'
order by next_due_at for update skip locked limit %s;

-- name: missing_states
select u.patient_id from unnest(%b::int[]) as u(patient_id)
where not exists (select from patient_state s where s.patient_id = u.patient_id) order by u.patient_id;

-- name: create_states
insert into patient_state (patient_id, machine) select unnest(%b::int[]), %b on conflict do nothing;

-- name: stored_already
-- Which of these have been stored before, and with which value? Asked only of observations that are not newer than all of
-- their patient's.
select u.position, o.value from unnest(%b::int[], %b::int[], %b::int[], %b::bigint[], %b::int[])
    as u(position, patient_id, vital, at, device_id)
join observation o on o.patient_id = u.patient_id and o.vital = u.vital
    and o.observed_at = timestamptz 'epoch' + u.at * interval '1 microsecond' and o.device_id = u.device_id;

-- name: copy_observations
copy observation (observed_at, received_at, value, patient_id, device_id, vital, flags) from stdin (format binary)

-- name: write_states
-- next_due_at is indexed: a row is moved only for an earlier instant, or where its own has passed. The clock worker may
-- so look too early once in a while, and a common update stays within its page.
update patient_state s set
    machine = u.machine,
    last_observed_at = case when u.last_at > -9223372036854775807
        then timestamptz 'epoch' + u.last_at * interval '1 microsecond' end,
    next_due_at = case
        when s.next_due_at > timestamptz 'epoch' + %(now)b::bigint * interval '1 microsecond'
            and (u.due_at = 9223372036854775807 or s.next_due_at
                <= timestamptz 'epoch' + u.due_at * interval '1 microsecond') then s.next_due_at
        when u.due_at < 9223372036854775807 then timestamptz 'epoch' + u.due_at * interval '1 microsecond' end,
    updated_at = now()
from unnest(%(patients)b::int[], %(machines)b::bytea[], %(due)b::bigint[], %(last)b::bigint[])
    as u(patient_id, machine, due_at, last_at)
where s.patient_id = u.patient_id;

-- name: note_late
-- History is corrected soon afterwards, once for all that comes within a while.
update patient_state s set late_noted_at = coalesce(s.late_noted_at, now()), late_is_told = s.late_is_told or u.told
from unnest(%s::int[], %s::boolean[]) as u(patient_id, told) where s.patient_id = u.patient_id;

-- name: snapshots_before
-- For each patient the newest snapshot before an instant.
select u.patient_id, s.machine from unnest(%b::int[], %b::bigint[]) as u(patient_id, at)
cross join lateral (
    select machine from patient_snapshot p where p.patient_id = u.patient_id
        and p.at < timestamptz 'epoch' + u.at * interval '1 microsecond'
    order by p.at desc limit 1) s;

-- name: oldest_snapshots
select patient_id, (extract(epoch from min(at)) * 1000000)::bigint from patient_snapshot
where patient_id = any(%b::int[]) group by patient_id;

-- name: gaps
-- Between two enrolments a patient is on no pathway.
select patient_id, (extract(epoch from begins) * 1000000)::bigint, (extract(epoch from ends) * 1000000)::bigint
from (
    select patient_id, ended_at as begins, lead(started_at) over (partition by patient_id order by started_at) as ends
    from enrolment where patient_id = any(%b::int[])) as e
where begins < ends;

-- name: policy_since
-- Since when is each scored by what is in force: policy version, limits of their own? Null: by nothing else before.
select e.patient_id, (extract(epoch from greatest(
    case when exists (select from enrolment b where b.patient_id = e.patient_id and b.started_at < e.started_at)
        then e.started_at end,
    (select max(y.published_at) from policy y where y.pathway_id = e.pathway_id and y.published_at > e.started_at
        and exists (select from policy z where z.pathway_id = y.pathway_id and z.version < y.version)),
    (select max(o.created_at) from enrolment_override o
        where o.patient_id = e.patient_id and o.enrolment_id = e.enrolment_id))) * 1000000)::bigint
from enrolment e where e.patient_id = any(%b::int[]) and e.ended_at is null;

-- name: observations_since
-- Everything that was scored after an instant; 32 is Flag.TOO_LATE.
select o.patient_id, o.device_id, o.vital, (extract(epoch from o.observed_at) * 1000000)::bigint,
    (extract(epoch from o.received_at) * 1000000)::bigint, o.value, o.flags
from unnest(%b::int[], %b::bigint[]) as u(patient_id, at)
cross join lateral (
    select * from observation o where o.patient_id = u.patient_id and o.flags & 32 = 0
        and o.observed_at > timestamptz 'epoch' + u.at * interval '1 microsecond') o;

-- name: change_flags
update observation o set flags = u.flags
from unnest(%b::int[], %b::int[], %b::int[], %b::bigint[], %b::int[]) as u(patient_id, device_id, vital, at, flags)
where o.patient_id = u.patient_id and o.device_id = u.device_id and o.vital = u.vital
    and o.observed_at = timestamptz 'epoch' + u.at * interval '1 microsecond';

-- name: drop_snapshots_since
delete from patient_snapshot s using unnest(%b::int[], %b::bigint[]) as u(patient_id, at)
where s.patient_id = u.patient_id and s.at >= timestamptz 'epoch' + u.at * interval '1 microsecond';

-- name: keep_snapshots
insert into patient_snapshot (patient_id, at, level, machine)
select patient_id, timestamptz 'epoch' + at * interval '1 microsecond', level, machine
from unnest(%b::int[], %b::bigint[], %b::int[], %b::bytea[]) as u(patient_id, at, level, machine)
on conflict (patient_id, at) do update set machine = excluded.machine, level = excluded.level;

-- name: thin_snapshots
-- Of each fine level the newest stay; of the others all that are newer than the policy's lateness, and one older.
delete from patient_snapshot s
using (
    select p.patient_id, p.at, p.level,
        row_number() over (partition by p.patient_id, p.level order by p.at desc) as place,
        max(p.at) filter (where p.level < 0 and p.at < timestamptz 'epoch' + u.horizon * interval '1 microsecond')
            over (partition by p.patient_id) as last_before
    from unnest(%(patients)b::int[], %(horizons)b::bigint[]) as u(patient_id, horizon)
    join patient_snapshot p using (patient_id)) as k
where s.patient_id = k.patient_id and s.at = k.at
    and case when k.level >= 0 then k.place > %(kept)b::int else k.at < k.last_before end;

-- name: write_episodes
-- An instant of 0 is none; an empty sentence or explanation leaves what the episode has.
insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, resolved_at, phase, severity,
    peak_severity, retrospective, sentence, explanation)
select organisation_id, patient_id, policy_id, rule, timestamptz 'epoch' + opened * interval '1 microsecond',
    timestamptz 'epoch' + nullif(activated, 0) * interval '1 microsecond',
    timestamptz 'epoch' + nullif(resolved, 0) * interval '1 microsecond', phase, severity, peak, retrospective, sentence,
    explanation::jsonb
from unnest(%(organisation)b::int[], %(patient)b::int[], %(policy)b::int[], %(rule)b::text[], %(opened)b::bigint[],
    %(activated)b::bigint[], %(resolved)b::bigint[], %(phase)b::text[], %(severity)b::int[], %(peak)b::int[],
    %(retrospective)b::boolean[], %(sentence)b::text[], %(explanation)b::text[])
    as u(organisation_id, patient_id, policy_id, rule, opened, activated, resolved, phase, severity, peak, retrospective,
         sentence, explanation)
on conflict (patient_id, rule, opened_at) do update set
    policy_id = excluded.policy_id, activated_at = excluded.activated_at, resolved_at = excluded.resolved_at,
    phase = excluded.phase, severity = excluded.severity, peak_severity = excluded.peak_severity,
    retrospective = episode.retrospective and excluded.retrospective,
    sentence = case when excluded.sentence = '' then episode.sentence else excluded.sentence end,
    explanation = case when excluded.explanation = '{}' then episode.explanation else excluded.explanation end,
    updated_at = now()
returning patient_id, rule, (extract(epoch from opened_at) * 1000000)::bigint, episode_id;

-- name: wait_again
-- What was taken on, or put off, was less severe than what it has become; or a latched one's condition is back, or
-- nothing at all comes where only a part was silent.
update episode e set acknowledged_by = null, acknowledged_at = null, acknowledged_severity = null, snoozed_until = null,
    snoozed_severity = null
from unnest(%b::bigint[], %b::int[], %b::boolean[]) as u(episode_id, severity, renewed)
where e.episode_id = u.episode_id and (u.severity > e.acknowledged_severity or u.severity > e.snoozed_severity
    or u.renewed and (e.acknowledged_by is not null or e.snoozed_until is not null))
returning e.episode_id;

-- name: write_events
insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity, value)
select organisation_id, episode_id, patient_id, kind, timestamptz 'epoch' + at * interval '1 microsecond', severity,
    nullif(value, 'NaN')
from unnest(%b::int[], %b::bigint[], %b::int[], %b::text[], %b::bigint[], %b::int[], %b::float8[])
    as u(organisation_id, episode_id, patient_id, kind, at, severity, value);

-- name: episode_rules
-- A rule that its policy has no more is known by its number only; the episode still has its name.
select rule from episode where patient_id = %s and opened_at = timestamptz 'epoch' + %s * interval '1 microsecond';

-- name: retract_event
update episode_event set retracted = true
where episode_id = %s and kind = %s and at = timestamptz 'epoch' + %s * interval '1 microsecond' and severity = %s
    and account_id is null;

-- name: write_jobs
insert into notification_job (organisation_id, episode_id, key, severity)
select * from unnest(%b::int[], %b::bigint[], %b::text[], %b::int[])
on conflict do nothing;

-- name: write_quarantine
-- A sender that is not known belongs to the only organisation there is; where there are several, to none of them, and
-- then only who runs the installation sees it. What was replayed and is refused again waits again.
insert into quarantine (organisation_id, device_id, topic, payload, reason, detail, observations, received_at, sender,
    patient_id)
select coalesce(nullif(organisation_id, 0), (select min(o.organisation_id) from organisation o having count(*) = 1)),
    nullif(device_id, 0), topic, payload, reason, detail, observations,
    timestamptz 'epoch' + received_at * interval '1 microsecond', sender, nullif(patient_id, 0)
from unnest(%b::int[], %b::int[], %b::text[], %b::bytea[], %b::text[], %b::text[], %b::int[], %b::bigint[], %b::text[],
    %b::int[]) as u(organisation_id, device_id, topic, payload, reason, detail, observations, received_at, sender,
                    patient_id)
on conflict (payload_sha256, topic, reason, coalesce(patient_id, 0)) do update set
    status = 'waiting', detail = excluded.detail, observations = excluded.observations,
    received_at = excluded.received_at, handled_by = null, handled_at = null
    where quarantine.status = 'replayed'
returning topic, payload_sha256, reason, coalesce(patient_id, 0);

-- name: note_sequences
-- The rows are locked in the order of the devices, after the patients: nobody waits crosswise.
with given as (
    select * from unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
        as u(device_id, number, observations, duplicates)),
known as (
    select device_id, numbers from device_account where device_id in (select device_id from given)
    order by device_id for update),
fresh as (
    select g.device_id, range_agg(int8range(g.number, g.number, '[]')) as numbers,
        sum(g.observations) as observations, sum(g.duplicates) as duplicates
    from given g left join known k using (device_id)
    where k.numbers is null or not k.numbers @> g.number
    group by g.device_id)
insert into device_account as a (device_id, organisation_id, numbers, observations, duplicates, since)
select f.device_id, d.organisation_id, f.numbers, f.observations, f.duplicates,
    timestamptz 'epoch' + %s * interval '1 microsecond'
from fresh f join device d using (device_id) order by f.device_id
on conflict (device_id) do update set numbers = a.numbers + excluded.numbers,
    observations = a.observations + excluded.observations, duplicates = a.duplicates + excluded.duplicates,
    updated_at = now();

-- name: tell_dashboards
select pg_notify('homeward_live', payload) from unnest(%s::text[]) as payload;

-- name: beat
insert into service_instance (instance_id, service, counters) values (%s, %s, %s)
on conflict (instance_id) do update set seen_at = now(), counters = excluded.counters;

-- name: alive
select count(*) from service_instance where service = %s and seen_at > now() - %s * interval '1 second';

-- name: end_frozen
-- A login may end its own role's connections, and no others'. Found first and ended then: a condition that ends what it
-- looks at may be asked before the others. Connections opened since then are those of one that woke up and begins anew.
with frozen as materialized (
    select a.pid from service_instance i
    join pg_stat_activity a on a.application_name = 'homeward-' || i.service || ' ' || i.instance_id
    where i.seen_at < now() - %s * interval '1 second' and a.backend_start < i.seen_at
      and a.usesysid = (select usesysid from pg_stat_activity where pid = pg_backend_pid()))
select pid from frozen where pg_terminate_backend(pid);

-- name: end_instance
-- Its counters stay, so that the sums over all processes never fall; it is no longer alive.
update service_instance set seen_at = now() - interval '1 hour', counters = %s where instance_id = %s;

-- name: forget_instances
-- The rows of processes that ended long ago go; what they counted goes on in one row of their service, as {name: {kind: n}}:
-- a count that fell would look like a restart, and all of it like new. The row is known by its number, which is always the
-- same. Two processes may do this at once: each adds to the row as the other has left it.
with gone as (
    delete from service_instance
    where seen_at < now() - interval '30 days' and instance_id <> md5('ended ' || service)::uuid
    returning service, started_at, seen_at, counters),
counted as (
    select g.service, c.key as name, k.key as kind, sum((k.value #>> '{}')::numeric) as n
    from gone g, jsonb_each(g.counters) c,
        jsonb_each(case jsonb_typeof(c.value) when 'object' then c.value else jsonb_build_object('', c.value) end) k
    where jsonb_typeof(k.value) = 'number'
    group by 1, 2, 3),
named as (
    select service, name, jsonb_object_agg(kind, n) as kinds from counted group by 1, 2)
insert into service_instance as carried (instance_id, service, started_at, seen_at, counters)
select md5('ended ' || service)::uuid, service, t.started_at, t.seen_at, jsonb_object_agg(name, kinds)
from named join (select service, min(started_at) as started_at, max(seen_at) as seen_at from gone group by 1) t using (service)
group by service, t.started_at, t.seen_at
on conflict (instance_id) do update set seen_at = greatest(carried.seen_at, excluded.seen_at), counters = (
    select jsonb_object_agg(name, kinds)
    from (select name, jsonb_object_agg(kind, n) as kinds
          from (select c.key as name, k.key as kind, sum((k.value #>> '{}')::numeric) as n
                from (values (carried.counters), (excluded.counters)) as both_rows (counters),
                    jsonb_each(both_rows.counters) c, jsonb_each(c.value) k
                group by 1, 2) as summed
          group by name) as by_name);

-- name: try_lane
select pg_try_advisory_lock(%s, %s);

-- name: give_lane
select pg_advisory_unlock(%s, %s);

-- name: next_due
select (extract(epoch from min(next_due_at)) * 1000000)::bigint from patient_state;

-- name: mark_past
update episode e set retrospective = true
from unnest(%b::int[], %b::bigint[]) as u(patient_id, horizon)
where e.patient_id = u.patient_id and not e.retrospective
    and e.recorded_at >= timestamptz 'epoch' + %b::bigint * interval '1 microsecond'
    and e.activated_at < timestamptz 'epoch' + u.horizon * interval '1 microsecond';
