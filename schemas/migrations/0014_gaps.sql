-- Between two enrolments nobody is scored: whoever scores late observations asks for a patient's enrolments, ended ones too.
set local search_path to homeward, public;

create index enrolment_by_patient on enrolment (patient_id, started_at);
