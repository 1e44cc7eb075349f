-- Who hands in text messages, and whose telephones they come from.

-- name: gateway
select organisation_id, secret from sms_gateway where name = %s;

-- name: owners
-- Patients in care, with the word by which their messages begin, and what each answer ends with.
select t.patient_id, t.word, s.emergency_advice from patient_phone t
join patient p using (patient_id) join site s on s.site_id = p.site_id
where t.organisation_id = %s and t.phone = %s and p.discharged_at is null order by t.word, t.patient_id;

-- name: organisation_of_device
select organisation_id from device where code = %s;
