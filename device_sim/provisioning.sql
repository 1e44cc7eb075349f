-- Registers simulated people and devices in bulk; each runs as homeward_admin for one organisation.

-- name: add_devices
insert into device (organisation_id, site_id, hub_id, code, kind, lane)
select %s, %s, %s, * from unnest(%s::text[], %s::text[], %s::int[])
on conflict (code) do nothing;

-- name: set_hub
update device set hub_id = %s where code = any(%s) and hub_id is distinct from %s;

-- name: devices
select code, device_id, retired_at from device where code = any(%s);

-- name: holders
select device_id, device_user, patient_id from device_assignment
where device_id = any(%s) and upper_inf(during);

-- name: numbers_taken
select nhs_number from patient where starts_with(nhs_number, '999');

-- name: add_patients
insert into patient (organisation_id, site_id, family_name, given_name, nhs_number, born_on, sex, spo2_scale)
select %s, %s, * from unnest(%s::text[], %s::text[], %s::text[], %s::date[], %s::text[], %s::int[])
returning nhs_number, patient_id;

-- name: assign
-- what nobody holds is assigned for all time: a recording's dates may lie anywhere
insert into device_assignment (organisation_id, device_id, device_user, patient_id, during)
select %s, given.*, tstzrange(null, null)
from unnest(%s::int[], %s::int[], %s::int[]) as given (device_id, device_user, patient_id)
where not exists (select from device_assignment a
                  where a.device_id = given.device_id and a.device_user = given.device_user and upper_inf(a.during));

-- name: leave_other_pathways
update enrolment set ended_at = greatest(now(), started_at + interval '1 microsecond')
where patient_id = any(%s) and ended_at is null and pathway_id <> %s;

-- name: enrol
insert into enrolment (organisation_id, patient_id, pathway_id)
select %s, p, %s from unnest(%s::int[]) p
where not exists (select from enrolment e where e.patient_id = p and e.ended_at is null);

-- name: audit
insert into audit_log (organisation_id, action, object, detail) values (%s, %s, %s, %s);
