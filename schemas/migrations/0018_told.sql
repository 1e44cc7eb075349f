-- Who was told, and who was not: those who care for somebody see what became of each message about them; a ladder may tell
-- its last tier again and again; the notifier looks whether a display is connected at each site, so that it is known
-- before an alert; and an administrator may enter where somebody on call is reached, and vouches for it.
set local search_path to homeward, public;

-- told again every so many minutes: one job may take more steps than a smallint counts
alter table notification_job alter column steps type integer;
alter table delivery alter column step type integer;
alter table delivery add column again boolean not null default false;

-- whoever sees the patient sees what became of the messages about them; an address of a person is not among it
create policy told on delivery for select to homeward_dashboard
    using (organisation_id = (select current_organisation()) and purpose = 'alert'
           and exists (select from delivery_episode x where x.delivery_id = delivery.delivery_id));

-- Whether anything subscribes to a site's alerts, as the broker says it; looked at once a minute.
create table site_display (
    site_id         integer primary key,
    organisation_id integer not null,
    is_connected    boolean not null,
    since           timestamptz not null,
    looked_at       timestamptz not null,
    foreign key (organisation_id, site_id) references site (organisation_id, site_id)
);
alter table site_display enable row level security;
alter table site_display force row level security;
create policy services on site_display to homeward_notify using (true) with check (true);
create policy people on site_display for select to homeward_dashboard, homeward_admin
    using (organisation_id = (select current_organisation()));
grant select, insert, update (is_connected, since, looked_at) on site_display to homeward_notify;
grant select on site_display to homeward_dashboard, homeward_admin;

-- An address that an administrator entered and vouches for, in place of a code that came back.
alter table contact add column vouched_by integer;
alter table contact add foreign key (organisation_id, vouched_by) references account (organisation_id, account_id);
grant update (vouched_by) on contact to homeward_dashboard;
create policy vouching on contact for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation()) and (select administers())
                and vouched_by = (select current_account()) and verified_at is not null and code_hash is null);
create policy vouching_again on contact for update to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (select administers()))
    with check (organisation_id = (select current_organisation()) and (select administers())
                and vouched_by = (select current_account()) and verified_at is not null and code_hash is null);

-- By which ways each person can be told, without their addresses: who waits for help may know whether anybody hears of it.
create policy ways on contact for select to homeward_owner using (true);
create function ways_of_people() returns table (account_id integer, name text, ways text[])
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select a.account_id, a.name, coalesce(array_agg(distinct c.kind) filter (where c.verified_at is not null and c.wanted), '{}')
    from account a left join contact c on c.account_id = a.account_id
    where a.organisation_id = current_organisation() and current_account() is not null and a.disabled_at is null
    group by a.account_id
$$;
revoke execute on function ways_of_people() from public;
grant execute on function ways_of_people() to homeward_dashboard;

-- What an answer to a text message says to do in an emergency is a site's to choose on its page.
grant insert (emergency_advice), update (emergency_advice) on site to homeward_dashboard;
