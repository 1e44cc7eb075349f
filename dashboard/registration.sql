-- Taking people into care and letting them go. Every statement runs for the person at work, or as homeward_admin for one
-- organisation: whom and what they may not see is not there, and what they may not write is refused.

-- name: sites
select s.site_id, s.name, s.kind, s.time_zone, s.emergency_advice,
    (select count(*) from patient p where p.site_id = s.site_id and p.discharged_at is null) as patients,
    (select count(*) from device d where d.site_id = s.site_id and d.retired_at is null) as devices
from site s order by s.name

-- name: add_site
insert into site (organisation_id, name, kind, time_zone)
values (%(organisation)s, %(name)s, %(kind)s, %(time_zone)s) returning site_id

-- name: change_site
update site set name = %(name)s, kind = %(kind)s, time_zone = %(time_zone)s,
    emergency_advice = coalesce(%(advice)s, emergency_advice)
where site_id = %(site)s returning site_id

-- name: pathways
select w.pathway_id, w.name, w.title, y.policy_id, y.version, y.document, y.lowest_age, y.pregnancy
from pathway w join policy y using (policy_id) order by w.title

-- name: patient_by_nhs_number
select p.patient_id, p.family_name, p.given_name, p.born_on, p.discharged_at, s.name as site
from patient p join site s using (site_id) where p.nhs_number = %(nhs_number)s

-- name: is_known_elsewhere
select nhs_number_is_known(%(nhs_number)s) as known

-- name: site
select site_id, name from site where site_id = %(site)s

-- name: add_patient
insert into patient (organisation_id, site_id, family_name, given_name, nhs_number, born_on, sex, room, contact, allergies,
    resuscitation, pregnant)
values (%(organisation)s, %(site)s, %(family_name)s, %(given_name)s, %(nhs_number)s, %(born_on)s, %(sex)s, %(room)s,
    %(contact)s, %(allergies)s, %(resuscitation)s, %(pregnant)s)
returning patient_id

-- name: lock_patient
select p.patient_id, p.site_id, p.discharged_at, p.born_on, p.pregnant from patient p
where p.patient_id = %(patient)s for update

-- name: enrol
insert into enrolment (organisation_id, patient_id, pathway_id)
values (%(organisation)s, %(patient)s, %(pathway)s) returning enrolment_id

-- name: end_enrolment
update enrolment set ended_at = greatest(now(), started_at + interval '1 microsecond')
where patient_id = %(patient)s and ended_at is null

-- name: add_override
insert into enrolment_override (organisation_id, patient_id, enrolment_id, version, document, spo2_scale, usual_news2,
    policy_id, author, reason)
values (%(organisation)s, %(patient)s, %(enrolment)s, 1, %(document)s::jsonb, %(spo2_scale)s, %(usual_news2)s,
    %(policy)s, %(author)s, %(reason)s)

-- name: device
select d.device_id, d.kind, d.retired_at,
    (select a.patient_id from device_assignment a
     where a.device_id = d.device_id and a.device_user = 0 and upper_inf(a.during) limit 1) as worn_by
from device d where d.code = %(code)s

-- name: assign
insert into device_assignment (organisation_id, device_id, patient_id, during)
values (%(organisation)s, %(device)s, %(patient)s, tstzrange(now(), null))

-- name: end_assignments
update device_assignment set during = tstzrange(lower(during), now())
where patient_id = %(patient)s and upper_inf(during) and coalesce(lower(during) < now(), true)

-- name: discharge
update patient set discharged_at = now() where patient_id = %(patient)s

-- name: readmit
update patient set discharged_at = null, site_id = %(site)s where patient_id = %(patient)s

-- name: move
update patient set site_id = %(site)s, room = %(room)s where patient_id = %(patient)s

-- name: move_devices
-- A clinician moves a patient and not the trust's devices: a technician sees to these.
update device d set site_id = %(site)s
from device_assignment a
where a.device_id = d.device_id and a.patient_id = %(patient)s and upper_inf(a.during) and d.site_id is not null
  and (current_account() is null or (select manages_devices()))

-- name: patients
select p.patient_id, p.family_name, p.given_name, p.nhs_number, p.born_on, s.name as site, w.name as pathway,
    p.discharged_at
from patient p join site s using (site_id)
left join enrolment e on e.patient_id = p.patient_id and e.ended_at is null left join pathway w using (pathway_id)
where %(discharged)s or p.discharged_at is null
order by p.family_name, p.given_name, p.patient_id
