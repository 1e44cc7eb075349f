-- How long an organisation keeps observations: its own rule, carried out by a role that can do nothing else. Episodes, notes
-- and the audit log are a record of care and are not touched. What an open episode rests on is kept for as long as it is
-- open; and what happened before the oldest observation that is kept is never judged again from what is left.

set local search_path to homeward, public;

create table retention (
    organisation_id   integer primary key references organisation,
    months            smallint not null check (months between 3 and 1200), -- the scoring remembers four weeks
    set_by            text not null check (set_by <> ''),
    reason            text not null check (reason <> ''),
    set_at            timestamptz not null default now(),
    observations_from timestamptz,                     -- those before it are deleted
    applied_at        timestamptz
);

alter table retention enable row level security;
alter table retention force row level security;
create policy services on retention to homeward_ingest, homeward_retention using (true) with check (true);
create policy provisioning on retention to homeward_admin
    using (organisation_id = (select current_organisation()))
    with check (organisation_id = (select current_organisation()));
create policy people on retention for select to homeward_dashboard
    using (organisation_id = (select current_organisation()));

-- Chunks that end before an instant go as a whole, which only their owner may have done.
create function drop_observation_chunks(before timestamptz) returns bigint
    language plpgsql security definer set search_path = homeward, public, pg_temp as $$
begin
    if before > now() - interval '3 months' then
        raise exception 'observations of the last three months are not dropped';
    end if;
    return (select count(*) from drop_chunks('homeward.observation', before));
end $$;
revoke execute on function drop_observation_chunks(timestamptz) from public;
grant execute on function drop_observation_chunks(timestamptz) to homeward_retention;

create policy retention on organisation for select to homeward_retention using (true);
create policy retention on patient for select to homeward_retention using (true);
create policy retention on episode for select to homeward_retention using (true);
create policy retention on quarantine to homeward_retention using (true);
create policy retention on audit_log for insert to homeward_retention with check (action = 'retention');

grant usage on schema homeward to homeward_retention;
grant select (organisation_id) on organisation to homeward_retention;
grant select (patient_id, organisation_id) on patient to homeward_retention;
grant select (patient_id, opened_at, phase) on episode to homeward_retention;
grant select (patient_id, observed_at), delete on observation to homeward_retention;
grant select (organisation_id, received_at, status), delete on quarantine to homeward_retention;
grant insert on audit_log to homeward_retention;
grant select, update (observations_from, applied_at) on retention to homeward_retention;
grant select (organisation_id, observations_from) on retention to homeward_ingest;
grant select, insert, update on retention to homeward_admin;
grant select on retention to homeward_dashboard;
