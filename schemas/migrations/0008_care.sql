-- What carers and nurses hand over: signed documents that are never changed, about one patient (SBARD) and about a whole
-- site at the end of a shift. A correction is a new version beside the old one, so that what somebody acted on can be
-- found as they read it. Also when a site's shifts change, and a key by which a note sent twice is one note: a tablet
-- that was out of reach of the network does not know whether what it sent arrived.
set local search_path to homeward, public;

alter table site add column shift_times time[] not null default '{07:30,19:30}'
    check (cardinality(shift_times) between 1 and 6 and array_position(shift_times, null) is null);

alter table note add column key text check (length(key) between 1 and 64);
create unique index note_key on note (patient_id, key) where key is not null;

create table handover (
    handover_id     bigint generated always as identity primary key,
    organisation_id integer not null,
    patient_id      integer not null,
    number          integer not null check (number > 0),    -- the patient's first, second, … handover
    version         integer not null check (version > 0),   -- of that handover; the highest is the one that counts
    sections        jsonb not null,                         -- what was signed, section by section
    facts           jsonb not null,                         -- what it was written from: policy, version, score, instants
    signed_by       integer not null,
    signed_name     text not null check (signed_name <> ''), -- as it was then
    signed_role     text not null,
    signed_at       timestamptz not null default now(),
    unique (patient_id, number, version),
    foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id),
    foreign key (organisation_id, signed_by) references account (organisation_id, account_id)
);

create table shift_handover (
    shift_handover_id bigint generated always as identity primary key,
    organisation_id   integer not null,
    site_id           integer not null,
    since             timestamptz not null,
    until             timestamptz not null check (until > since),
    number            integer not null check (number > 0),
    version           integer not null check (version > 0),
    document          jsonb not null,
    signed_by         integer not null,
    signed_name       text not null check (signed_name <> ''),
    signed_role       text not null,
    signed_at         timestamptz not null default now(),
    unique (site_id, number, version),
    foreign key (organisation_id, site_id) references site (organisation_id, site_id),
    foreign key (organisation_id, signed_by) references account (organisation_id, account_id)
);

create function refuse_handover_change() returns trigger language plpgsql as $$
begin
    raise exception 'a signed handover is never changed; sign a new version';
end $$;

do $$
declare
    name text;
begin
    foreach name in array array['handover', 'shift_handover'] loop
        execute format('create trigger %I before update or delete on %I for each row '
            'execute function refuse_handover_change()', name || '_immutable', name);
        execute format('create trigger %I before truncate on %I for each statement '
            'execute function refuse_handover_change()', name || '_no_truncate', name);
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
    end loop;
end $$;

-- whoever sees the patient sees what was handed over of them; one signs in one's own name only
create policy people on handover for select to homeward_dashboard
    using (exists (select from patient p where p.patient_id = handover.patient_id));
create policy signing on handover for insert to homeward_dashboard
    with check (exists (select from patient p where p.patient_id = handover.patient_id)
                and organisation_id = (select current_organisation()) and signed_by = (select current_account()));
create policy people on shift_handover for select to homeward_dashboard
    using (organisation_id = (select current_organisation()) and site_id = any ((select visible_sites())::integer[])
           and (select sees_patients()));
create policy signing on shift_handover for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation()) and site_id = any ((select visible_sites())::integer[])
                and (select sees_patients()) and signed_by = (select current_account()));

revoke execute on function refuse_handover_change() from public;
grant select, insert on handover, shift_handover to homeward_dashboard;
