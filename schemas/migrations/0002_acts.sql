-- What a person does that the scoring itself has to know: a patient is paused, because they are in hospital or away, and
-- a latched episode is reset. Both are instants of the patient's course like observations, so that the same course with
-- the same acts always comes out the same. And what the clocks of devices are off by, which nobody enters.
set local search_path to homeward, public;

-- Nothing of a paused patient is paged, and what falls due in the pause does not. It ends at ends_at by itself, or when
-- somebody lifts it. A longer or shorter pause is another row, so that what was in force when stays known.
create table patient_pause (
    pause_id        bigint generated always as identity primary key,
    organisation_id integer not null,
    patient_id      integer not null,
    since           timestamptz not null,
    ends_at         timestamptz not null check (ends_at > since),
    lifted_at       timestamptz check (lifted_at >= since),
    reason          text not null check (reason <> ''),
    account_id      integer not null references account,
    lifted_by       integer references account,
    settled_at      timestamptz,                     -- what was active at its end has been notified
    foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id)
);
create index patient_pause_by_patient on patient_pause (patient_id, since);
create index patient_pause_unsettled on patient_pause (ends_at) where settled_at is null;

-- How much later than it measured a device was heard: the shortest such time of each of the last little whiles. A clock
-- that is right gives what the way takes, one that is ahead gives less.
create table device_clock (
    device_id       integer primary key,
    organisation_id integer not null,
    delays_us       bigint[] not null,               -- newest first
    skew_us         bigint not null,                 -- ahead is positive; one that is behind looks like a slow way
    unset_at        timestamptz,                     -- when the device last said that its clock is not set
    heard_at        timestamptz not null,
    foreign key (organisation_id, device_id) references device (organisation_id, device_id)
);

-- A latched episode tells when its condition is over, and goes when a person resets it.
alter table episode_event drop constraint episode_event_kind_check;
alter table episode_event add constraint episode_event_kind_check check (kind in ('opened', 'activated', 'severity',
    'resolved', 'withdrawn', 'cleared', 'acknowledged', 'released', 'snoozed', 'resumed', 'escalated', 'noted', 'reset'));
create index episode_event_reset on episode_event (patient_id) where kind = 'reset';

-- Whoever acts asks the clock to look at the patient at once; the update also waits for a writer that has the state.
create function look_at_patient(given integer) returns timestamptz language sql volatile
    set search_path = homeward, pg_temp as $$
    update patient_state set next_due_at = least(next_due_at, now()) where patient_id = given;
    -- after the lock, and after everything that has been scored
    select greatest(clock_timestamp(), (select last_observed_at + interval '1 microsecond' from patient_state
                                        where patient_id = given))
$$;

do $$
declare
    name text;
begin
    foreach name in array array['patient_pause', 'device_clock'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy services on %I to homeward_ingest, homeward_notify using (true) with check (true)',
                       name);
        execute format('create policy provisioning on %I to homeward_admin using (organisation_id = '
            '(select current_organisation())) with check (organisation_id = (select current_organisation()))', name);
    end loop;
end $$;
create policy people on patient_pause to homeward_dashboard
    using (exists (select from patient p where p.patient_id = patient_pause.patient_id))
    with check (organisation_id = (select current_organisation())
                and exists (select from patient p where p.patient_id = patient_pause.patient_id));
create policy people on device_clock to homeward_dashboard
    using (organisation_id = (select current_organisation())
           and exists (select from device d where d.device_id = device_clock.device_id));

revoke execute on function look_at_patient(integer) from public;
grant execute on function look_at_patient(integer) to homeward_dashboard;
grant update (next_due_at) on patient_state to homeward_dashboard;
grant select, insert, update (lifted_at, lifted_by) on patient_pause to homeward_dashboard;
grant select, update (settled_at) on patient_pause to homeward_ingest;
grant select (episode_id, severity) on notification_job to homeward_ingest;  -- was it told already?
grant select on patient_pause to homeward_notify, homeward_admin;
grant select, insert, update on device_clock to homeward_ingest;
grant select on device_clock to homeward_dashboard, homeward_admin;
