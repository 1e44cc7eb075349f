-- What the triage list needs to answer within a tenth of a second for 100,000 patients, measured: whose site an episode
-- belongs to, written beside it; a name in the form in which it is searched; indexes in the order of the list. And what
-- a note is about: something written, or a call that was made.
set local search_path to homeward, public;

-- Row-level security of an episode asked for its patient, so that each page read every patient first: 100 ms; the same for
-- who is on a pathway. The site stands beside both now, and the reference keeps it right when a patient moves.
alter table patient add unique (patient_id, site_id);

create function place_by_patient() returns trigger language plpgsql set search_path = homeward, pg_temp as $$
begin
    new.site_id := (select p.site_id from patient p where p.patient_id = new.patient_id);
    return new;
end $$;
revoke execute on function place_by_patient() from public;

do $$
declare
    name text;
begin
    foreach name in array array['episode', 'enrolment'] loop
        execute format('alter table %I add column site_id integer', name);
        execute format('update %I set site_id = p.site_id from patient p where p.patient_id = %I.patient_id', name, name);
        execute format('alter table %I alter column site_id set not null', name);
        execute format('alter table %I add foreign key (patient_id, site_id) references patient (patient_id, site_id) '
            'on update cascade', name);
        execute format('create trigger %I before insert on %I for each row execute function place_by_patient()',
            name || '_place', name);
        execute format('drop policy people on %I', name);
        -- the patient is asked for only where the site does not settle it, such as in an emergency
        execute format('create policy people on %I to homeward_dashboard using (organisation_id = '
            '(select current_organisation()) and (site_id = any ((select visible_sites())::integer[]) and '
            '(select sees_patients()) or exists (select from patient p where p.patient_id = %I.patient_id))) '
            'with check (organisation_id = (select current_organisation()) and (site_id = any '
            '((select visible_sites())::integer[]) and (select sees_patients()) or exists (select from patient p '
            'where p.patient_id = %I.patient_id)))', name, name, name);
    end loop;
end $$;

-- Both orders of a name, folded: one comparison finds either.
alter table patient add column searched text collate "C" not null
    generated always as (lower(given_name || ' ' || family_name || ' ' || given_name)) stored;
create index patient_in_care on patient (organisation_id, site_id)
    include (patient_id, searched, nhs_number, family_name, given_name) where discharged_at is null;
create index enrolment_by_pathway on enrolment (pathway_id, patient_id) include (organisation_id, site_id)
    where ended_at is null;

-- A call is a note with its outcome: who was reached, or not.
alter table note add column kind text not null default 'note' check (kind in ('note', 'call'));
alter table note add column outcome text not null default ''
    check (outcome in ('', 'spoke', 'no_answer', 'message'));
alter table note add check ((kind = 'call') = (outcome <> ''));
