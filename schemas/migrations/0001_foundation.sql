-- The whole foundation at once: tenants and people, devices, pathways, observations, the state of each patient,
-- episodes, the outbox and the audit log; and who may see what, because separation added later is separation forgotten.
--
-- Who is who in the database:
--   homeward_owner      owns every table and runs nothing; row-level security is forced on it too
--   homeward_ingest     ingest and clock workers: writes observations, state and episodes of every tenant; reads no name
--   homeward_notify     delivers the outbox
--   homeward_dashboard  acts for the signed-in person: sees the tenant and the sites of that person, nothing without one
--   homeward_reader     owns the view through which people read observations; cannot sign in
--   homeward_admin      provisioning from the command line, one tenant at a time
-- The person is told to the database at the start of each transaction:
--   select set_config('homeward.organisation', '1', true), set_config('homeward.account', '7', true)

create schema if not exists homeward;
create extension if not exists timescaledb;
create extension if not exists btree_gist;
set local search_path to homeward, public;

-- ---------------------------------------------------------------------------------------------- tenants and people

create table organisation (
    organisation_id integer generated always as identity primary key,
    name            text not null unique check (name <> ''),
    time_zone       text not null default 'Europe/London',
    created_at      timestamptz not null default now()
);

create table site (
    site_id         integer generated always as identity primary key,
    organisation_id integer not null references organisation,
    name            text not null check (name <> ''),
    kind            text not null check (kind in ('home', 'care_home', 'ward')),
    time_zone       text not null default 'Europe/London',
    unique (organisation_id, name),
    unique (organisation_id, site_id)
);

create table account (
    account_id      integer generated always as identity primary key,
    organisation_id integer not null references organisation,
    sign_in         text not null unique check (sign_in = lower(sign_in) and sign_in <> ''),
    name            text not null check (name <> ''),
    role            text not null check (role in
                        ('administrator', 'clinician', 'carer', 'technician', 'auditor', 'read_only')),
    all_sites       boolean not null default false,
    password_hash   text,
    failed_sign_ins smallint not null default 0,
    locked_until    timestamptz,
    disabled_at     timestamptz,
    created_at      timestamptz not null default now(),
    unique (organisation_id, account_id)
);

create table account_site (
    account_id      integer not null,
    site_id         integer not null,
    organisation_id integer not null,
    primary key (account_id, site_id),
    foreign key (organisation_id, account_id) references account (organisation_id, account_id),
    foreign key (organisation_id, site_id) references site (organisation_id, site_id)
);

create table session (
    token_hash      bytea primary key check (length(token_hash) = 32),
    organisation_id integer not null,
    account_id      integer not null,
    created_at      timestamptz not null default now(),
    seen_at         timestamptz not null default now(),
    expires_at      timestamptz not null,
    foreign key (organisation_id, account_id) references account (organisation_id, account_id)
);
create index session_by_account on session (account_id);

create table patient (
    patient_id      integer generated always as identity primary key,
    organisation_id integer not null,
    site_id         integer not null,
    family_name     text not null check (family_name <> ''),
    given_name      text not null check (given_name <> ''),
    nhs_number      text check (nhs_number ~ '^[0-9]{10}$'),
    born_on         date not null,
    sex             text not null default 'unknown' check (sex in ('female', 'male', 'other', 'unknown')),
    room            text not null default '',
    contact         text not null default '',
    allergies       text not null default '',
    resuscitation   text not null default '',
    spo2_scale      smallint not null default 1 check (spo2_scale in (1, 2)),
    usual_news2     smallint check (usual_news2 between 0 and 20),
    pregnant        boolean not null default false,
    created_at      timestamptz not null default now(),
    discharged_at   timestamptz,
    unique (organisation_id, nhs_number),
    unique (organisation_id, patient_id),
    foreign key (organisation_id, site_id) references site (organisation_id, site_id)
);
create index patient_by_site on patient (site_id);

-- ---------------------------------------------------------------------------------------------------------- devices

create table device (
    device_id       integer generated always as identity primary key,
    organisation_id integer not null,
    site_id         integer,
    hub_id          integer references device,     -- the hub that speaks for this device, if it does not speak itself
    code            text not null unique check (code ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    kind            text not null check (kind in
                        ('hub', 'cuff', 'oximeter', 'thermometer', 'scale', 'glucometer', 'monitor', 'manual')),
    lane            smallint not null check (lane between 0 and 15),
    time_zone       text,
    created_at      timestamptz not null default now(),
    retired_at      timestamptz,
    unique (organisation_id, device_id),
    foreign key (organisation_id) references organisation,
    foreign key (organisation_id, site_id) references site (organisation_id, site_id)
);
create index device_by_hub on device (hub_id) where hub_id is not null;

-- Which patient a device's observations belong to, over time. device_user tells apart people who share a device;
-- 0 stands for "no user given", so that the exclusion constraint sees it.
create table device_assignment (
    assignment_id   integer generated always as identity primary key,
    organisation_id integer not null,
    device_id       integer not null,
    patient_id      integer not null,
    device_user     smallint not null default 0 check (device_user >= 0),
    during          tstzrange not null check (not isempty(during)),
    foreign key (organisation_id, device_id) references device (organisation_id, device_id),
    foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id),
    exclude using gist (device_id with =, device_user with =, during with &&)
);
create index device_assignment_by_patient on device_assignment (patient_id);

-- ------------------------------------------------------------------------------------------------ pathways, policies

create table pathway (
    pathway_id      integer generated always as identity primary key,
    organisation_id integer not null references organisation,
    name            text not null check (name ~ '^[a-z][a-z0-9_]*$'),
    title           text not null,
    policy_id       integer,                        -- the version in force
    unique (organisation_id, name),
    unique (organisation_id, pathway_id)
);

create table policy (
    policy_id       integer generated always as identity primary key,
    organisation_id integer not null,
    pathway_id      integer not null,
    version         integer not null check (version > 0),
    document        text not null,
    sha256          bytea not null check (length(sha256) = 32),
    derived_from    text,                           -- the template that it was made from, and which edition of it
    derived_sha256  bytea check (length(derived_sha256) = 32),
    lowest_age      smallint,                       -- for whom the document says that it is meant
    pregnancy       boolean,
    author          text not null,
    source          text not null,
    reason          text not null,
    published_at    timestamptz not null default now(),
    unique (pathway_id, version),
    unique (organisation_id, policy_id),
    foreign key (organisation_id, pathway_id) references pathway (organisation_id, pathway_id)
);
alter table pathway add foreign key (organisation_id, policy_id) references policy (organisation_id, policy_id);

create table enrolment (
    enrolment_id    integer generated always as identity primary key,
    organisation_id integer not null,
    patient_id      integer not null,
    pathway_id      integer not null,
    started_at      timestamptz not null default now(),
    ended_at        timestamptz check (ended_at > started_at),
    unique (organisation_id, enrolment_id),
    foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id),
    foreign key (organisation_id, pathway_id) references pathway (organisation_id, pathway_id)
);
create unique index enrolment_in_force on enrolment (patient_id) where ended_at is null;

-- What is a person's own within the policy: one row a version, the highest is in force. The document is what
-- alerts/overrides.py reads; scale and usual score stand beside it for whoever shows them.
create table enrolment_override (
    override_id     integer generated always as identity primary key,
    organisation_id integer not null,
    patient_id      integer not null,
    enrolment_id    integer not null,
    version         integer not null check (version > 0),
    document        jsonb not null,
    spo2_scale      smallint check (spo2_scale in (1, 2)),
    usual_news2     smallint check (usual_news2 between 0 and 20),
    policy_id       integer not null,               -- the version that it was checked against
    author          text not null check (author <> ''),
    reason          text not null check (reason <> ''),
    created_at      timestamptz not null default now(),
    unique (enrolment_id, version),
    foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id),
    foreign key (organisation_id, enrolment_id) references enrolment (organisation_id, enrolment_id),
    foreign key (organisation_id, policy_id) references policy (organisation_id, policy_id)
);
create index enrolment_override_by_patient on enrolment_override (patient_id);

-- What was in force stays as it was, whoever asks: an episode names the version that raised it.
create function refuse_version_change() returns trigger language plpgsql as $$
begin
    raise exception 'a published version is never changed; publish another one';
end $$;

do $$
declare
    name text;
begin
    foreach name in array array['policy', 'enrolment_override'] loop
        execute format('create trigger %I before update or delete on %I for each row '
            'execute function refuse_version_change()', name || '_immutable', name);
        execute format('create trigger %I before truncate on %I for each statement '
            'execute function refuse_version_change()', name || '_no_truncate', name);
    end loop;
end $$;

-- A policy may be meant for some people only, such as NEWS2, which does not apply to children and in pregnancy.
create function refuse_enrolment() returns trigger language plpgsql as $$
declare
    meant record;
    person record;
begin
    if new.ended_at is not null then
        return new;
    end if;
    select y.lowest_age, y.pregnancy, w.title into meant
    from pathway w join policy y using (policy_id) where w.pathway_id = new.pathway_id;
    select p.born_on, p.pregnant into person from patient p where p.patient_id = new.patient_id;
    if extract(year from age(new.started_at, person.born_on)) < meant.lowest_age then
        raise exception using errcode = 'check_violation', message = format(
            'Patient %s is younger than %s; "%s" is not for them. Choose another policy.',
            new.patient_id, meant.lowest_age, meant.title);
    end if;
    if meant.pregnancy <> person.pregnant then
        raise exception using errcode = 'check_violation', message = format(
            'Patient %s is %s; "%s" is not for them. Choose another policy.', new.patient_id,
            case when person.pregnant then 'pregnant' else 'not pregnant' end, meant.title);
    end if;
    return new;
end $$;
create trigger enrolment_refused before insert or update on enrolment for each row
    execute function refuse_enrolment();

-- ----------------------------------------------------------------------------------------------------- observations

-- Narrow on purpose: half a million patients make hundreds of millions of rows a day. `flags` holds the quality bits
-- that schemas/observation.py names; vital is the code in schemas/vital_signs.csv.
create table observation (
    observed_at timestamptz not null,
    received_at timestamptz not null,
    value       double precision not null,
    patient_id  integer not null,
    device_id   integer not null,
    vital       smallint not null,
    flags       smallint not null default 0
);
select create_hypertable('observation', by_range('observed_at', interval '7 days'), create_default_indexes => false);
create unique index observation_identity on observation (patient_id, vital, observed_at, device_id);

create table quarantine (
    quarantine_id   bigint generated always as identity primary key,
    organisation_id integer references organisation, -- null: the sender is not known
    device_id       integer references device,
    topic           text not null,
    payload         bytea not null,
    payload_sha256  bytea not null generated always as (sha256(payload)) stored,
    reason          text not null,                   -- a code from schemas/quarantine.py
    detail          text not null,                   -- where, what, what was expected, what to do
    observations    integer not null default 1 check (observations > 0),
    received_at     timestamptz not null,
    status          text not null default 'waiting' check (status in ('waiting', 'replayed', 'discarded')),
    handled_by      integer references account,
    handled_at      timestamptz,
    unique (payload_sha256, topic, reason)           -- a redelivered message is the same message
);
create index quarantine_waiting on quarantine (organisation_id, received_at) where status = 'waiting';

-- ----------------------------------------------------------------------------------------------- state and episodes

create table patient_state (
    patient_id       integer primary key references patient,
    machine          bytea not null,                 -- one record of alerts.state.MACHINE
    next_due_at      timestamptz,                    -- next instant at which something changes without an observation
    last_observed_at timestamptz,
    late_noted_at    timestamptz,                    -- since when observations wait that came too late to be scored
    updated_at       timestamptz not null default now()
) with (fillfactor = 70);
create index patient_state_late on patient_state (late_noted_at) where late_noted_at is not null;
create index patient_state_due on patient_state (next_due_at) where next_due_at is not null;

-- Earlier states, kept for the policy's lateness: late observations are scored again from the one before them.
create table patient_snapshot (
    patient_id integer not null references patient,
    at         timestamptz not null,
    level      smallint not null default -1,         -- -1: kept for the lateness; n: among the newest of every 2^n-th
    machine    bytea not null,
    primary key (patient_id, at)
);

create table episode (
    episode_id      bigint generated always as identity primary key,
    organisation_id integer not null,
    patient_id      integer not null,
    policy_id       integer not null,
    rule            text not null,
    opened_at       timestamptz not null,            -- event time at which the condition began (pending)
    activated_at    timestamptz,
    resolved_at     timestamptz,
    phase           text not null check (phase in ('pending', 'active', 'resolved', 'withdrawn')),
    severity        smallint not null check (severity between 0 and 3),
    peak_severity   smallint not null check (peak_severity between 0 and 3),
    retrospective   boolean not null default false,  -- came too late to act on: shown, paged to nobody
    sentence        text not null default '',        -- why, in words a carer understands
    explanation     jsonb not null default '{}',
    acknowledged_by integer references account,
    acknowledged_at timestamptz,
    acknowledged_severity smallint,                  -- what was taken on: an episode that rises above it waits again
    snoozed_until   timestamptz,                     -- ends by itself, or when the episode rises above:
    snoozed_severity smallint,
    recorded_at     timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    unique (patient_id, rule, opened_at),
    unique (organisation_id, episode_id),
    foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id),
    foreign key (organisation_id, policy_id) references policy (organisation_id, policy_id)
);
create index episode_open on episode (organisation_id, severity desc, activated_at) where phase = 'active';
create index episode_by_patient on episode (patient_id, opened_at);

create table episode_event (
    event_id        bigint generated always as identity primary key,
    organisation_id integer not null,
    episode_id      bigint not null,
    patient_id      integer not null,
    kind            text not null check (kind in ('opened', 'activated', 'severity', 'resolved', 'withdrawn',
                        'acknowledged', 'released', 'snoozed', 'resumed', 'escalated', 'noted')),
    at              timestamptz not null,
    recorded_at     timestamptz not null default now(),
    severity        smallint not null default 0,
    value           double precision,
    retracted       boolean not null default false,  -- later observations showed that it did not happen so
    account_id      integer references account,
    note            text not null default '',
    foreign key (organisation_id, episode_id) references episode (organisation_id, episode_id)
);
create index episode_event_by_episode on episode_event (episode_id, at);
create index episode_event_by_patient on episode_event (patient_id, at);

create table note (
    note_id         bigint generated always as identity primary key,
    organisation_id integer not null,
    patient_id      integer not null,
    account_id      integer not null references account,
    at              timestamptz not null default now(),
    body            text not null check (body <> ''),
    foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id)
);
create index note_by_patient on note (patient_id, at);

create table notification_job (
    job_id          bigint generated always as identity primary key,
    organisation_id integer not null,
    episode_id      bigint not null,
    key             text not null unique,            -- lets a receiver drop a repeat
    severity        smallint not null,
    created_at      timestamptz not null default now(),
    run_at          timestamptz not null default now(),
    attempts        smallint not null default 0,
    status          text not null default 'waiting' check (status in ('waiting', 'delivered', 'failed')),
    outcome         text not null default '',
    foreign key (organisation_id, episode_id) references episode (organisation_id, episode_id)
);
create index notification_job_waiting on notification_job (run_at) where status = 'waiting';

-- ------------------------------------------------------------------------------------------- running, and the audit

-- What each running process says of itself; /metrics adds them up. No tenant's data.
create table service_instance (
    instance_id uuid primary key,
    service     text not null,
    started_at  timestamptz not null default now(),
    seen_at     timestamptz not null default now(),
    counters    jsonb not null default '{}'
);

create table audit_log (
    audit_id        bigint generated always as identity primary key,
    organisation_id integer not null references organisation,
    at              timestamptz not null default now(),
    account_id      integer,
    action          text not null,
    object          text not null,
    detail          jsonb not null default '{}',
    previous_hash   bytea not null default '',
    hash            bytea not null default ''
);
create index audit_log_by_organisation on audit_log (organisation_id, audit_id);

-- One organisation's entries are chained one after the other: the lock orders them, the hash covers the one before.
create function audit_digest(entry audit_log) returns bytea language sql immutable as $$
    select sha256(entry.previous_hash || convert_to(concat_ws(e'\x1f',
        entry.organisation_id, extract(epoch from entry.at), coalesce(entry.account_id, 0), entry.action,
        entry.object, entry.detail::text), 'UTF8'))
$$;

create function chain_audit_entry() returns trigger language plpgsql
    security definer set search_path = homeward, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('homeward.audit_log'), new.organisation_id);
    -- numbered under the lock: of two that wait for it, the one that was numbered first may get it last
    new.audit_id := nextval(pg_get_serial_sequence('homeward.audit_log', 'audit_id'));
    new.at := clock_timestamp();
    new.previous_hash := coalesce((select hash from audit_log
        where organisation_id = new.organisation_id order by audit_id desc limit 1), ''::bytea);
    new.hash := audit_digest(new);
    return new;
end $$;
create trigger audit_log_chain before insert on audit_log for each row execute function chain_audit_entry();

create function refuse_audit_change() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end $$;
create trigger audit_log_append_only before update or delete on audit_log
    for each row execute function refuse_audit_change();
create trigger audit_log_no_truncate before truncate on audit_log
    for each statement execute function refuse_audit_change();

-- --------------------------------------------------------------------------------------------------- who sees what

create function current_organisation() returns integer language sql stable parallel safe as
$$ select nullif(current_setting('homeward.organisation', true), '')::integer $$;

create function current_account() returns integer language sql stable parallel safe as
$$ select nullif(current_setting('homeward.account', true), '')::integer $$;

-- The sites of the person at work. Evaluated once a statement: policies call it inside a sub-select.
create function visible_sites() returns integer[] language sql stable parallel safe
    set search_path = homeward, pg_temp as $$
    select coalesce(array_agg(s.site_id), '{}') from site s, account a
    where a.account_id = current_account() and a.organisation_id = current_organisation()
      and a.disabled_at is null and s.organisation_id = a.organisation_id
      and (a.all_sites or exists (select from account_site x where x.account_id = a.account_id and x.site_id = s.site_id))
$$;

-- Whether the person at work has anything to do with patients at all; the same roles as in dashboard/permissions.py.
create function sees_patients() returns boolean language sql stable parallel safe
    set search_path = homeward, pg_temp as $$
    select exists (select from account a where a.account_id = current_account()
                   and a.role in ('administrator', 'clinician', 'carer', 'read_only'))
$$;

do $$
declare
    name text;
    tables_of_an_organisation text[] := array['organisation', 'site', 'account', 'account_site', 'session', 'pathway',
        'policy', 'audit_log'];
    tables_of_a_patient text[] := array['device_assignment', 'enrolment', 'enrolment_override', 'patient_state', 'patient_snapshot',
        'episode', 'episode_event', 'note'];
begin
    foreach name in array tables_of_an_organisation || tables_of_a_patient
            || array['patient', 'device', 'quarantine', 'notification_job'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        -- the machine room: every tenant, and only the columns granted below
        execute format('create policy services on %I to homeward_ingest, homeward_notify using (true) with check (true)',
                       name);
    end loop;
    foreach name in array tables_of_an_organisation || array['patient', 'device', 'quarantine', 'device_assignment',
            'enrolment', 'enrolment_override', 'episode', 'episode_event', 'note', 'notification_job'] loop
        execute format('create policy provisioning on %I to homeward_admin using (organisation_id = '
            '(select current_organisation())) with check (organisation_id = (select current_organisation()))', name);
    end loop;
    foreach name in array tables_of_an_organisation loop
        execute format('create policy people on %I to homeward_dashboard, homeward_reader using (organisation_id = '
            '(select current_organisation())) with check (organisation_id = (select current_organisation()))', name);
    end loop;
    foreach name in array tables_of_a_patient loop
        execute format('create policy people on %I to homeward_dashboard using (exists (select from patient p '
            'where p.patient_id = %I.patient_id)) with check (exists (select from patient p where p.patient_id = '
            '%I.patient_id))', name, name, name);
    end loop;
    foreach name in array array['patient_state', 'patient_snapshot'] loop
        execute format('create policy provisioning on %I to homeward_admin using (exists (select from patient p '
            'where p.patient_id = %I.patient_id)) with check (exists (select from patient p where p.patient_id = '
            '%I.patient_id))', name, name, name);
    end loop;
end $$;

create policy people on patient to homeward_dashboard, homeward_reader
    using (organisation_id = (select current_organisation()) and site_id = any ((select visible_sites())::integer[])
           and (select sees_patients()))
    with check (organisation_id = (select current_organisation())
                and site_id = any ((select visible_sites())::integer[]) and (select sees_patients()));
create policy people on device to homeward_dashboard
    using (organisation_id = (select current_organisation())
           and (site_id is null or site_id = any ((select visible_sites())::integer[])))
    with check (organisation_id = (select current_organisation()));
create policy people on quarantine to homeward_dashboard
    using (organisation_id = (select current_organisation()))
    with check (organisation_id = (select current_organisation()));
create policy people on notification_job to homeward_dashboard
    using (exists (select from episode e where e.episode_id = notification_job.episode_id))
    with check (exists (select from episode e where e.episode_id = notification_job.episode_id));
-- a new organisation has no tenant yet: provisioning may make one, and look one up by name
create policy provisioning_new on organisation for insert to homeward_admin with check (true);
create policy provisioning_names on organisation for select to homeward_admin using (true);
-- the owner is under the policies as well: it chains the audit log, and nothing else
create policy chain on audit_log for select to homeward_owner using (true);
-- signing in happens before a person is known: these look-ups, and no others, run with the owner's eyes
create policy sign_in on account for select to homeward_owner using (true);
create policy sign_in_count on account for update to homeward_owner using (true) with check (true);
create policy sign_in on session for select to homeward_owner using (true);

create function account_for_sign_in(given text)
    returns table (account_id integer, organisation_id integer, name text, role text, password_hash text,
                   failed_sign_ins smallint, locked_until timestamptz)
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select a.account_id, a.organisation_id, a.name, a.role, a.password_hash, a.failed_sign_ins, a.locked_until
    from account a where a.sign_in = lower(given) and a.disabled_at is null
$$;

-- Counts failures and locks for a while after each fifth in a row; a success clears the count.
create function record_sign_in_attempt(given integer, succeeded boolean) returns void
    language sql security definer set search_path = homeward, pg_temp as $$
    update account set
        failed_sign_ins = case when succeeded then 0 else failed_sign_ins + 1 end,
        locked_until = case when not succeeded and (failed_sign_ins + 1) % 5 = 0 then now() + interval '15 minutes'
                            when succeeded then null else locked_until end
    where account_id = given
$$;

create function account_for_session(given bytea)
    returns table (account_id integer, organisation_id integer, name text, role text, expires_at timestamptz)
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select a.account_id, a.organisation_id, a.name, a.role, s.expires_at
    from session s join account a using (account_id)
    where s.token_hash = given and s.expires_at > now() and a.disabled_at is null
$$;

-- The only way in which people read observations: rows of patients whom they may see.
create view patient_observation with (security_barrier) as
    select o.patient_id, o.vital, o.observed_at, o.received_at, o.device_id, o.value, o.flags
    from observation o
    where exists (select from patient p where p.patient_id = o.patient_id);

-- ------------------------------------------------------------------------------------------------------ being told

-- Ingest keeps who wears which device and which policy is in force in memory; this tells it to look again.
create function tell_registry() returns trigger language plpgsql as $$
begin
    perform pg_notify('homeward_registry', '');
    return null;
end $$;

do $$
declare
    name text;
begin
    foreach name in array array['device', 'device_assignment', 'enrolment', 'enrolment_override', 'pathway', 'patient'] loop
        execute format('create trigger %I after insert or update or delete on %I for each statement '
            'execute function tell_registry()', name || '_registry', name);
    end loop;
end $$;

-- ------------------------------------------------------------------------------------------------------------ grants

grant usage on schema homeward to homeward_ingest, homeward_notify, homeward_dashboard, homeward_reader, homeward_admin;
revoke execute on all functions in schema homeward from public;
grant execute on function current_organisation(), current_account(), visible_sites(), sees_patients()
    to homeward_dashboard, homeward_reader, homeward_admin;
grant execute on function account_for_sign_in(text), account_for_session(bytea),
    record_sign_in_attempt(integer, boolean) to homeward_dashboard;
grant execute on function audit_digest(audit_log) to homeward_dashboard, homeward_admin;

grant select (organisation_id, time_zone) on organisation to homeward_ingest;
grant select (site_id, organisation_id, time_zone) on site to homeward_ingest;
grant select (patient_id, organisation_id, site_id, born_on, spo2_scale, usual_news2, discharged_at)
    on patient to homeward_ingest;                  -- no name, no NHS number
grant select on device, device_assignment, pathway, policy, enrolment, enrolment_override to homeward_ingest;
grant select, insert, update (flags) on observation to homeward_ingest;
grant select, insert on quarantine to homeward_ingest;
grant update (status, handled_at) on quarantine to homeward_ingest;
grant select, insert, update on patient_state to homeward_ingest;
grant select, insert, update, delete on patient_snapshot to homeward_ingest;
grant select, insert, update on episode, episode_event to homeward_ingest;
grant insert on notification_job to homeward_ingest;
grant select, insert, update, delete on service_instance to homeward_ingest, homeward_notify, homeward_dashboard;

grant select on notification_job, episode to homeward_notify;
grant update (attempts, status, outcome, run_at) on notification_job to homeward_notify;

grant select on organisation, site, account_site, patient, device, device_assignment, pathway, policy,
    enrolment, enrolment_override, quarantine, patient_state, episode, episode_event, note, notification_job, audit_log
    to homeward_dashboard;
grant select (account_id, organisation_id, sign_in, name, role, all_sites, disabled_at, created_at)
    on account to homeward_dashboard, homeward_reader;
grant select, insert, update (seen_at, expires_at), delete on session to homeward_dashboard;
grant insert on note, episode_event, audit_log to homeward_dashboard;
grant update (acknowledged_by, acknowledged_at, acknowledged_severity, snoozed_until, snoozed_severity, updated_at)
    on episode to homeward_dashboard;
grant update (status, handled_by, handled_at) on quarantine to homeward_dashboard;

grant select on organisation, site, account_site, patient, observation to homeward_reader;
alter view patient_observation owner to homeward_reader;
grant select on patient_observation to homeward_dashboard;

grant select, insert, update on organisation, site, account, account_site, patient, device, device_assignment, pathway,
    enrolment, patient_state, quarantine, episode, episode_event, note to homeward_admin;
grant delete on account_site, session, patient_state to homeward_admin;
grant select, insert on policy, enrolment_override, audit_log to homeward_admin; -- what was published is never changed
grant select on session, notification_job, patient_snapshot to homeward_admin;
grant delete on patient_snapshot to homeward_admin;
grant select on service_instance to homeward_admin;
