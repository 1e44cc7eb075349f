-- So that a device that sends without end neither delays the others nor goes unnoticed: what is over its share of a full
-- micro-batch is kept whole in quarantine as too_many, many messages to a row, and read when there is time. Here is
-- counted, for the page of devices, how many of a device's messages had to wait so, and how many were not even kept.

set local search_path to homeward, public;

create table device_excess (
    device_id       integer primary key references device,   -- who sent: the hub, not the device that it speaks for
    organisation_id integer not null,
    messages        bigint not null check (messages >= 0),    -- kept for later, whole
    not_kept        bigint not null check (not_kept >= 0),    -- beyond what is kept of one sender in a day
    since           timestamptz not null default now(),
    last_at         timestamptz not null default now(),
    foreign key (organisation_id, device_id) references device (organisation_id, device_id)
) with (fillfactor = 70);

alter table device_excess enable row level security;
alter table device_excess force row level security;
create policy services on device_excess to homeward_ingest, homeward_notify using (true) with check (true);
create policy provisioning on device_excess to homeward_admin
    using (organisation_id = (select current_organisation())) with check (organisation_id = (select current_organisation()));
create policy people on device_excess to homeward_dashboard
    using (exists (select from device d where d.device_id = device_excess.device_id
                   and d.organisation_id = (select current_organisation())));

grant select, insert, update on device_excess to homeward_ingest;
grant select on device_excess to homeward_dashboard, homeward_admin;

-- the next one to read, among a million that wait for other reasons
create index quarantine_too_many on quarantine (quarantine_id) where status = 'waiting' and reason = 'too_many';
