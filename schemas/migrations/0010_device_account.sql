-- So that nobody has to believe that nothing is lost: a device that numbers its observation sets has every number that
-- was taken noted here, in the transaction that stored or quarantined the set. A hole in the numbers is a set that never
-- arrived; the sums are compared with the store and with quarantine by `homeward doctor --accounts`.

set local search_path to homeward, public;

create table device_account (
    device_id       integer primary key references device,   -- who sent: the hub, not the device that it speaks for
    organisation_id integer not null,
    numbers         int8multirange not null,
    observations    bigint not null check (observations >= 0),  -- values in the sets so numbered, each set once
    duplicates      bigint not null check (duplicates >= 0),    -- of these, found in the store already
    since           timestamptz not null,             -- when the first numbered set was received
    updated_at      timestamptz not null default now(),
    foreign key (organisation_id, device_id) references device (organisation_id, device_id)
) with (fillfactor = 70);

alter table device_account enable row level security;
alter table device_account force row level security;
create policy services on device_account to homeward_ingest, homeward_notify using (true) with check (true);
create policy provisioning on device_account to homeward_admin
    using (organisation_id = (select current_organisation())) with check (organisation_id = (select current_organisation()));
create policy people on device_account to homeward_dashboard
    using (exists (select from device d where d.device_id = device_account.device_id
                   and d.organisation_id = (select current_organisation())));

grant select, insert, update on device_account to homeward_ingest;
grant select on device_account to homeward_dashboard, homeward_admin;
