-- The triage list asks of each patient with an open episode whether they are still in care. It looked each of them up, which
-- was three quarters of the time that the numbers above the list took; the few who were discharged are found at once here.
set local search_path to homeward, public;

create index patient_discharged on patient (patient_id) include (organisation_id, site_id) where discharged_at is not null;
