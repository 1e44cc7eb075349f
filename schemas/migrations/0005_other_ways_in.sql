-- Observations come in by other ways than the broker: requests of devices and programs, text messages, files. Each way
-- needs to know who sends; a request that is sent twice has to be answered twice and stored once; and what was put into
-- quarantine is worked off, so a row has to say for whom it was meant and who dealt with it, why.

set local search_path to homeward, public;

-- A device's credential for HTTP. Only its digest is kept: a copy of the table lets nobody in.
create table device_token (
    device_id       integer primary key,
    organisation_id integer not null,
    token_hash      bytea not null unique check (length(token_hash) = 32),
    created_at      timestamptz not null default now(),
    foreign key (organisation_id, device_id) references device (organisation_id, device_id)
);

-- What a request with an Idempotency-Key, or a text message, was answered: for a day, so that it can be sent again.
create table answered_request (
    organisation_id integer not null references organisation,
    sender          text not null,
    key             text not null check (length(key) between 1 and 255),
    asked_sha256    bytea not null check (length(asked_sha256) = 32),
    status          smallint,
    answer          jsonb,
    answered_at     timestamptz not null default now(),
    primary key (organisation_id, sender, key)
);
create index answered_request_by_age on answered_request (answered_at);

-- Who may hand in text messages. The secret signs each request, so it is kept as it is, for ingest's eyes only.
create table sms_gateway (
    gateway_id      integer generated always as identity primary key,
    organisation_id integer not null references organisation,
    name            text not null unique check (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    secret          text not null check (length(secret) >= 32),
    created_at      timestamptz not null default now()
);

-- Whose telephone it is. A couple may share one: the word tells them apart, at the beginning of their messages.
create table patient_phone (
    organisation_id integer not null,
    phone           text not null check (phone ~ '^\+[1-9][0-9]{6,14}$'),
    patient_id      integer not null,
    word            text not null default '' check (word ~ '^[a-z]{0,20}$'),
    primary key (organisation_id, phone, patient_id),
    unique (organisation_id, phone, word),
    foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id)
);
create index patient_phone_by_patient on patient_phone (patient_id);

-- What every answer to a text message ends with: nobody may take "stored" for "all is well".
alter table site add column emergency_advice text not null
    default 'Nobody reads this at once. If you feel very unwell, call 999.' check (emergency_advice <> '');

alter table quarantine
    add column sender     text not null default '',  -- the device code under which it came, where one is known
    add column patient_id integer,                   -- for whom it was entered, where a person said so
    add column note       text not null default '',  -- why it was discarded
    add foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id);
update quarantine set sender = split_part(topic, '/', 4) where topic like 'homeward/v1/%/%/observations';
update quarantine set sender = substr(topic, 6) where topic like 'http:%';
alter table quarantine drop constraint quarantine_payload_sha256_topic_reason_key;
-- a redelivered message is the same message; the same values entered for somebody else are not
create unique index quarantine_identity on quarantine (payload_sha256, topic, reason, coalesce(patient_id, 0));
create index quarantine_by_cause on quarantine (organisation_id, reason, device_id, quarantine_id)
    where status = 'waiting';

do $$
declare
    name text;
begin
    foreach name in array array['device_token', 'answered_request', 'sms_gateway', 'patient_phone'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy services on %I to homeward_ingest using (true) with check (true)', name);
    end loop;
    foreach name in array array['device_token', 'sms_gateway', 'patient_phone'] loop
        execute format('create policy provisioning on %I to homeward_admin using (organisation_id = '
            '(select current_organisation())) with check (organisation_id = (select current_organisation()))', name);
    end loop;
end $$;
create policy people on patient_phone to homeward_dashboard
    using (exists (select from patient p where p.patient_id = patient_phone.patient_id))
    with check (exists (select from patient p where p.patient_id = patient_phone.patient_id));

grant select on device_token, patient_phone, sms_gateway to homeward_ingest;
grant select, insert, update (status, answer), delete on answered_request to homeward_ingest;
grant select (emergency_advice) on site to homeward_ingest;
-- a replay and the entry that tells of it are one transaction
grant insert on audit_log to homeward_ingest;
grant update (reason, detail, observations, organisation_id, device_id, sender, patient_id, handled_by, received_at, note)
    on quarantine to homeward_ingest;

grant select on patient_phone to homeward_dashboard;
grant update (note) on quarantine to homeward_dashboard;
-- to whom a device belonged at a time of which messages wait: row-level security lets a person name their own patients
grant insert on device_assignment to homeward_dashboard;

grant select, insert, delete on device_token to homeward_admin;
grant select (gateway_id, organisation_id, name, created_at), insert, delete on sms_gateway to homeward_admin;
grant select, insert, update, delete on patient_phone to homeward_admin;
