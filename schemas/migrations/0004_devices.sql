-- A device's life beside its observations: at which site it was when, whether it is online, its battery and firmware; and
-- the code by which a device that a whole home shares names the resident. People may now change devices from the pages,
-- so the rights to do so, and the database's own check of the role behind them, come with it.

set local search_path to homeward, public;

-- Where a device was, over time: a resident named by code must live where the device was then. The present site stays
-- in device.site_id; the trigger keeps both in step, whoever moves the device.
create table device_placement (
    placement_id    integer generated always as identity primary key,
    organisation_id integer not null,
    device_id       integer not null,
    site_id         integer not null,
    during          tstzrange not null check (not isempty(during)),
    foreign key (organisation_id, device_id) references device (organisation_id, device_id),
    foreign key (organisation_id, site_id) references site (organisation_id, site_id),
    exclude using gist (device_id with =, during with &&)
);
create index device_placement_by_site on device_placement (site_id);

-- the first placement is for all time, as a recording's dates may lie anywhere
create function place_device() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        delete from device_placement where device_id = new.device_id and lower(during) >= now();
        update device_placement set during = tstzrange(lower(during), now())
        where device_id = new.device_id and upper_inf(during);
    end if;
    if new.site_id is not null then
        insert into device_placement (organisation_id, device_id, site_id, during)
        values (new.organisation_id, new.device_id, new.site_id,
            tstzrange(case when tg_op = 'UPDATE' then now() end, null));
    end if;
    return null;
end $$;
create trigger device_placed after insert on device for each row execute function place_device();
create trigger device_moved after update of site_id on device for each row
    when (old.site_id is distinct from new.site_id) execute function place_device();

insert into device_placement (organisation_id, device_id, site_id, during)
select organisation_id, device_id, site_id, tstzrange(null, null) from device where site_id is not null;

-- What a device last said of itself; one row a device, of its newest status.
create table device_standing (
    device_id       integer primary key,
    organisation_id integer not null,
    online          boolean,                        -- null: it says nothing about that itself, its hub speaks for it
    since           timestamptz,                    -- since when it has been online, or offline
    session         text not null default '',       -- of which connection that is; a late Last Will names an older one
    battery         smallint check (battery between 0 and 100),
    firmware        text,
    trouble         text not null default '',       -- why its newest status could not be read
    reported_at     timestamptz not null,
    foreign key (organisation_id, device_id) references device (organisation_id, device_id)
);

-- An opaque word for a resident, such as on a label beside the bed: no name, no NHS number, never given to another.
alter table patient add resident_code text check (resident_code ~ '^[A-Za-z0-9][A-Za-z0-9_-]{3,31}$');
alter table patient add constraint patient_resident_code unique (organisation_id, resident_code);

-- --------------------------------------------------------------------------------------------------- who sees what

-- The same roles as in dashboard/permissions.py.
create function manages_devices() returns boolean language sql stable parallel safe
    set search_path = homeward, pg_temp as $$
    select exists (select from account a where a.account_id = current_account()
                   and a.role in ('administrator', 'technician'))
$$;

create function assigns_devices() returns boolean language sql stable parallel safe
    set search_path = homeward, pg_temp as $$
    select exists (select from account a where a.account_id = current_account()
                   and a.role in ('administrator', 'technician', 'clinician'))
$$;

do $$
declare
    name text;
begin
    foreach name in array array['device_placement', 'device_standing'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy services on %I to homeward_ingest using (true) with check (true)', name);
        execute format('create policy provisioning on %I to homeward_admin using (organisation_id = '
            '(select current_organisation())) with check (organisation_id = (select current_organisation()))', name);
        execute format('create policy people on %I to homeward_dashboard using (organisation_id = '
            '(select current_organisation()) and exists (select from device d where d.device_id = %I.device_id)) '
            'with check (organisation_id = (select current_organisation()) and (select manages_devices()) '
            'and exists (select from device d where d.device_id = %I.device_id))', name, name, name);
    end loop;
end $$;

-- A device is put where the person works, and by whom it is a task.
alter policy people on device
    with check (organisation_id = (select current_organisation()) and (select manages_devices())
                and (site_id is null or site_id = any ((select visible_sites())::integer[])));

-- Technicians see which device has somebody, and no patient: the number of one is all that they see and give.
create policy technicians on device_assignment to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (select manages_devices())
           and exists (select from device d where d.device_id = device_assignment.device_id))
    with check (organisation_id = (select current_organisation()) and (select manages_devices())
                and exists (select from device d where d.device_id = device_assignment.device_id));
create policy assigning on device_assignment as restrictive for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation()) and (select assigns_devices()));
create policy ending on device_assignment as restrictive for update to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (select assigns_devices()));

create trigger device_placement_registry after insert or update or delete on device_placement for each statement
    execute function tell_registry();

-- ------------------------------------------------------------------------------------------------------------ grants

revoke execute on function place_device(), manages_devices(), assigns_devices() from public;
grant execute on function manages_devices(), assigns_devices() to homeward_dashboard, homeward_reader, homeward_admin;

grant select (resident_code) on patient to homeward_ingest;
grant select on device_placement to homeward_ingest, homeward_dashboard, homeward_admin;
grant insert, delete, update (during) on device_placement to homeward_dashboard, homeward_admin;
grant select, insert, update on device_standing to homeward_ingest;
grant select on device_standing to homeward_dashboard, homeward_admin;
grant insert on device, device_assignment to homeward_dashboard;
grant update (site_id, hub_id, retired_at) on device to homeward_dashboard;
grant update (during) on device_assignment to homeward_dashboard;
grant update (resident_code) on patient to homeward_dashboard;
