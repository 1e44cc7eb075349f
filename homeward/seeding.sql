-- How a demonstration begins: since when its people are in care, and what the shift before has left to do. Every statement
-- runs as homeward_admin in a transaction that acts for the demonstration's trust.

-- name: in_care_since
update enrolment set started_at = %(since)s where patient_id = any(%(patients)s::int[]) and started_at > %(since)s

-- name: complete_records
-- What a real record would hold, dealt out in turn; a place with rooms gives everybody one.
with dealt as (
    select patient_id, row_number() over (partition by site_id order by patient_id) as place from patient
    where patient_id = any(%(patients)s::int[]))
update patient p set
    room = case when %(rooms)s then d.place::text else '' end,
    contact = (%(contacts)s::text[])[1 + d.place %% cardinality(%(contacts)s::text[])],
    allergies = (%(allergies)s::text[])[1 + d.place * 3 %% cardinality(%(allergies)s::text[])],
    resuscitation = (%(resuscitation)s::text[])[1 + d.place %% cardinality(%(resuscitation)s::text[])],
    usual_news2 = case when %(rooms)s then (array[0, 1, 1, 2, 1, 0, 2])[1 + d.place %% 7] end
from dealt d where d.patient_id = p.patient_id and p.contact = ''

-- name: patients_by_device
select d.code, a.device_user, a.patient_id, d.device_id
from device d join device_assignment a using (device_id)
where d.code = any(%(codes)s::text[]) and upper_inf(a.during)

-- name: account_ids
select sign_in, account_id from account where organisation_id = %(organisation)s

-- name: add_contact
insert into contact (organisation_id, account_id, kind, address, verified_at)
values (%(organisation)s, %(account)s, 'email', %(address)s, now())
on conflict (account_id, kind, address) do nothing

-- name: add_rota
insert into rota (organisation_id, name, version, document, author, reason)
values (%(organisation)s, %(name)s, 1, %(document)s, 'Demonstration', 'First version')

-- name: add_ladder
insert into ladder (organisation_id, version, document, author, reason)
values (%(organisation)s, 1, %(document)s, 'Demonstration', 'First version')

-- name: ladders
select ladder_id from ladder limit 1

-- name: acknowledge_before
-- Each within the hour after it was raised, by whoever looks after the place; not the newest few, which still wait.
with ranked as (
    select e.episode_id, e.patient_id, e.phase, e.severity, e.peak_severity, e.activated_at, p.site_id,
        row_number() over (partition by e.phase, case when e.phase = 'active' then e.severity else 0 end
                           order by e.peak_severity desc, e.activated_at desc) as place
    from episode e join patient p using (patient_id)
    where e.activated_at >= %(since)s and e.phase in ('active', 'resolved') and e.acknowledged_by is null
), seen as (
    select r.*, least(r.activated_at + (4 + abs(hashint8(r.episode_id)) %% 40) * interval '1 minute', now()) as seen_at,
        coalesce((select x.account_id from account_site x where x.site_id = r.site_id limit 1), %(nurse)s) as account_id
    from ranked r
    where r.place > case when r.phase = 'resolved' then %(settled)s
                         when r.severity = 3 then %(red)s when r.severity = 2 then %(amber)s else %(yellow)s end
       or r.activated_at < now() - %(waiting_hours)s * interval '1 hour'
), taken as (
    update episode e set acknowledged_by = s.account_id, acknowledged_at = s.seen_at,
        acknowledged_severity = greatest(e.severity, case when e.phase = 'active' then 0 else e.peak_severity end)
    from seen s where e.episode_id = s.episode_id
    returning e.organisation_id, e.episode_id, e.patient_id, s.seen_at, e.severity, s.account_id, e.phase,
        e.peak_severity
), told as (
    insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity, account_id)
    select organisation_id, episode_id, patient_id, 'acknowledged', seen_at, severity, account_id from taken
)
select patient_id, account_id, seen_at from taken
where phase = 'active' and severity >= 2 order by seen_at desc

-- name: tell_of_waiting
-- What the shift before has left waits to be told, as if it had just been raised.
insert into notification_job (organisation_id, episode_id, key, severity)
select organisation_id, episode_id, concat_ws(':', episode_id, severity, 'left'), severity
from episode where phase = 'active' and acknowledged_at is null and severity > 0
on conflict do nothing

-- name: add_note
insert into note (organisation_id, patient_id, account_id, at, body)
values (%(organisation)s, %(patient)s, %(account)s, %(at)s + interval '3 minutes', %(body)s)
