-- Who is told of an episode, by which way, and what became of it: an alert that nobody is told of is none. Ladders and rotas
-- are kept in versions, so that it can be said later who should have been told; what was sent is kept with its outcome.
--
-- The outbox is ours and not a queue library's, because ingest writes the job with its bulk inserts in the transaction of
-- the episode, on its own role and under row-level security: a job is there exactly where its episode is.
set local search_path to homeward, public;

-- ------------------------------------------------------------------------------------------ who is told, in versions

-- A ladder of tiers, a version a row, the highest is in force; alerts/ladder.py reads the document. Without a site it is
-- the organisation's, and holds for every site that has none of its own.
create table ladder (
    ladder_id       integer generated always as identity primary key,
    organisation_id integer not null references organisation,
    site_id         integer,
    version         integer not null check (version > 0),
    document        jsonb not null,
    author          text not null check (author <> ''),
    reason          text not null check (reason <> ''),
    published_at    timestamptz not null default now(),
    unique nulls not distinct (organisation_id, site_id, version),
    foreign key (organisation_id, site_id) references site (organisation_id, site_id)
);

-- Who is on call: a week's pattern and what departs from it; alerts/rota.py reads the document.
create table rota (
    rota_id         integer generated always as identity primary key,
    organisation_id integer not null references organisation,
    name            text not null check (name <> ''),
    version         integer not null check (version > 0),
    document        jsonb not null,
    author          text not null check (author <> ''),
    reason          text not null check (reason <> ''),
    published_at    timestamptz not null default now(),
    unique (organisation_id, name, version)
);

-- ------------------------------------------------------------------------------------------- the ways to the outside

-- The public half of the key under which secrets are sealed. Its other half lies with the notifiers alone, so pages can
-- take a secret in and nobody can look at it again.
create table message_key (
    message_key_id  smallint primary key default 1 check (message_key_id = 1),
    public_key      bytea not null check (length(public_key) = 32),
    made_at         timestamptz not null default now()
);

-- A way that an organisation has set up. E-mail and the wall display need no row: one only says what departs from the usual.
create table channel (
    channel_id      integer generated always as identity primary key,
    organisation_id integer not null references organisation,
    kind            text not null check (kind in ('email', 'sms', 'webhook', 'wall', 'apprise')),
    name            text not null check (name <> ''),
    identity        text not null default 'none' check (identity in ('none', 'initials', 'name')),
    settings        jsonb not null default '{}',     -- nothing secret
    sealed          bytea,                           -- a key, a token, an address that is a secret
    created_at      timestamptz not null default now(),
    retired_at      timestamptz,
    unique (organisation_id, channel_id)
);
create unique index channel_name on channel (organisation_id, name) where retired_at is null;
create unique index channel_only on channel (organisation_id, kind)
    where retired_at is null and kind in ('email', 'sms', 'wall');

-- Where a person can be reached, once a code that was sent there has come back.
create table contact (
    contact_id      integer generated always as identity primary key,
    organisation_id integer not null,
    account_id      integer not null,
    kind            text not null check (kind in ('email', 'sms')),
    address         text not null check (address <> ''),
    wanted          boolean not null default true,
    verified_at     timestamptz,
    code_hash       bytea,
    code_sent_at    timestamptz,
    code_tries      smallint not null default 0,
    created_at      timestamptz not null default now(),
    unique (account_id, kind, address),
    unique (organisation_id, contact_id),
    foreign key (organisation_id, account_id) references account (organisation_id, account_id)
);

-- ------------------------------------------------------------------------------------- the way of a job, and messages

-- A job is one run up the ladder. `steps` counts what has been told of its plan, which follows from ladder and beginning.
alter table notification_job
    add column ladder_id integer references ladder,
    add column began_at  timestamptz,
    add column steps     smallint not null default 0,
    add column ended_at  timestamptz;
alter table notification_job drop constraint notification_job_status_check;
alter table notification_job add constraint notification_job_status_check
    check (status in ('waiting', 'delivered', 'failed', 'cancelled'));
create index notification_job_by_episode on notification_job (episode_id);

-- One message to one receiver. The key goes along, so that a receiver can drop a repeat.
create table delivery (
    delivery_id     bigint generated always as identity primary key,
    organisation_id integer not null references organisation,
    site_id         integer,
    purpose         text not null check (purpose in ('alert', 'test', 'code')),
    kind            text not null check (kind in ('email', 'sms', 'webhook', 'wall', 'apprise')),
    channel_id      integer,
    account_id      integer,
    contact_id      integer,
    address         text not null default '',        -- of a fixed receiver; a person's is looked up when it is sent
    step            smallint not null default 0,
    tier            text not null default '',
    severity        smallint not null default 0,
    key             text not null unique,
    sealed          bytea,                           -- a code to be sent
    created_at      timestamptz not null default now(),
    run_at          timestamptz not null default now(),
    attempts        smallint not null default 0,
    status          text not null default 'waiting' check (status in ('waiting', 'delivered', 'failed', 'cancelled')),
    outcome         text not null default '',        -- the last error, without an address or anything said
    ended_at        timestamptz,
    unique (organisation_id, delivery_id),
    foreign key (organisation_id, site_id) references site (organisation_id, site_id),
    foreign key (organisation_id, channel_id) references channel (organisation_id, channel_id),
    foreign key (organisation_id, account_id) references account (organisation_id, account_id),
    foreign key (contact_id) references contact on delete set null
);
create index delivery_waiting on delivery (severity desc, run_at) where status = 'waiting';
create index delivery_recent on delivery (organisation_id, created_at desc);
create index delivery_by_site on delivery (site_id, created_at) where purpose = 'alert';

-- Of which episodes a message tells: of several where many were raised at one site.
create table delivery_episode (
    organisation_id integer not null,
    delivery_id     bigint not null,
    job_id          bigint not null references notification_job,
    episode_id      bigint not null,
    primary key (delivery_id, job_id),
    foreign key (organisation_id, delivery_id) references delivery (organisation_id, delivery_id),
    foreign key (organisation_id, episode_id) references episode (organisation_id, episode_id)
);
create index delivery_episode_by_job on delivery_episode (job_id);
create index delivery_episode_by_episode on delivery_episode (episode_id);

-- --------------------------------------------------------------------------------------------------- who sees what

create function administers() returns boolean language sql stable parallel safe
    set search_path = homeward, pg_temp as $$
    select exists (select from account a where a.account_id = current_account() and a.role = 'administrator')
$$;

do $$
declare
    name text;
begin
    foreach name in array array['ladder', 'rota'] loop
        execute format('create trigger %I before update or delete on %I for each row '
            'execute function refuse_version_change()', name || '_immutable', name);
        execute format('create trigger %I before truncate on %I for each statement '
            'execute function refuse_version_change()', name || '_no_truncate', name);
    end loop;
    foreach name in array array['ladder', 'rota', 'channel', 'contact', 'delivery', 'delivery_episode'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy services on %I to homeward_notify using (true) with check (true)', name);
        execute format('create policy provisioning on %I to homeward_admin using (organisation_id = '
            '(select current_organisation())) with check (organisation_id = (select current_organisation()))', name);
    end loop;
    foreach name in array array['ladder', 'rota', 'channel'] loop
        execute format('create policy people on %I to homeward_dashboard using (organisation_id = '
            '(select current_organisation())) with check (organisation_id = (select current_organisation()) '
            'and (select administers()))', name);
    end loop;
end $$;

-- a person's address is theirs; who sets ladders up sees whom they reach
create policy people on contact to homeward_dashboard
    using (organisation_id = (select current_organisation())
           and (account_id = (select current_account()) or (select administers())))
    with check (organisation_id = (select current_organisation()) and account_id = (select current_account()));
create policy people on delivery to homeward_dashboard
    using (organisation_id = (select current_organisation())
           and (account_id = (select current_account()) or (select administers())))
    with check (organisation_id = (select current_organisation()) and purpose in ('test', 'code')
           and (account_id = (select current_account()) or (select administers())));
create policy people on delivery_episode to homeward_dashboard
    using (organisation_id = (select current_organisation())
           and exists (select from episode e where e.episode_id = delivery_episode.episode_id))
    with check (false);

-- What a message may say of a person, and no more than its way allows: the notifier itself reads no name.
create policy message_name on patient for select to homeward_owner using (true);
create policy message_name on delivery for select to homeward_owner using (true);
create policy message_name on delivery_episode for select to homeward_owner using (true);
create policy message_name on episode for select to homeward_owner using (true);
create policy message_name on channel for select to homeward_owner using (true);
create function names_for_message(given bigint) returns table (episode_id bigint, name text)
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select e.episode_id, case c.identity
        when 'name' then p.given_name || ' ' || p.family_name
        when 'initials' then left(p.given_name, 1) || '. ' || left(p.family_name, 1) || '.' else '' end
    from delivery d
    join delivery_episode x using (delivery_id)
    join episode e on e.episode_id = x.episode_id
    join patient p on p.patient_id = e.patient_id
    left join channel c on c.organisation_id = d.organisation_id and c.retired_at is null
        and (c.channel_id = d.channel_id or (d.channel_id is null and c.kind = d.kind))
    where d.delivery_id = given
$$;

-- How messages stand in an organisation, for those who run it and see no patient: counts, and sites without a ladder.
create policy message_standing on notification_job for select to homeward_owner using (true);
create policy message_standing on ladder for select to homeward_owner using (true);
create policy message_standing on site for select to homeward_owner using (true);
create function message_standing()
    returns table (waiting bigint, oldest_at timestamptz, failed bigint, nobody bigint, without_ladder text[])
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select (select count(*) from delivery d where d.organisation_id = o and d.status = 'waiting'),
           (select min(d.created_at) from delivery d where d.organisation_id = o and d.status = 'waiting'),
           (select count(*) from delivery d where d.organisation_id = o and d.status = 'failed'
                and d.ended_at > now() - interval '1 day'),
           (select count(*) from notification_job j where j.organisation_id = o and j.status = 'waiting'
                and j.outcome in ('nobody to tell', 'no ladder is in force', 'the ladder cannot be read')),
           (select coalesce(array_agg(s.name order by s.name), '{}') from site s where s.organisation_id = o
                and not exists (select from ladder l where l.organisation_id = o
                                and (l.site_id = s.site_id or l.site_id is null)))
    from (select current_organisation() as o) as here
$$;

create function tell_notifiers() returns trigger language plpgsql as $$
begin
    perform pg_notify('homeward_notify', '');
    return null;
end $$;
create trigger notification_job_told after insert on notification_job for each statement execute function tell_notifiers();
create trigger delivery_told after insert on delivery for each statement execute function tell_notifiers();

revoke execute on function administers(), names_for_message(bigint), message_standing(), tell_notifiers() from public;
grant execute on function administers(), message_standing() to homeward_dashboard;
grant execute on function names_for_message(bigint) to homeward_notify;

grant select (organisation_id, time_zone) on organisation to homeward_notify;
grant select (site_id, organisation_id, name, time_zone) on site to homeward_notify;
grant select (patient_id, organisation_id, site_id) on patient to homeward_notify;       -- no name, no NHS number
grant select (account_id, organisation_id, disabled_at) on account to homeward_notify;
grant select on ladder, rota, channel, contact, delivery_episode to homeward_notify;
grant select, insert on message_key to homeward_notify;
grant update (created_at, ladder_id, began_at, steps, ended_at) on notification_job to homeward_notify;
grant select, insert, update (created_at, run_at, attempts, status, outcome, ended_at, sealed) on delivery to homeward_notify;
grant insert on delivery_episode, episode_event to homeward_notify;

grant select on ladder, rota, delivery_episode, message_key to homeward_dashboard;
grant insert on ladder, rota, notification_job to homeward_dashboard;
grant select (channel_id, organisation_id, kind, name, identity, settings, created_at, retired_at) on channel
    to homeward_dashboard;
grant insert on channel to homeward_dashboard;
grant update (name, identity, settings, sealed, retired_at) on channel to homeward_dashboard;
grant select, insert, delete, update (wanted, verified_at, code_hash, code_sent_at, code_tries) on contact
    to homeward_dashboard;
grant select, insert on delivery to homeward_dashboard;

grant select, insert on ladder, rota to homeward_admin;
grant select (channel_id, organisation_id, kind, name, identity, settings, created_at, retired_at) on channel
    to homeward_admin;
grant select on contact, delivery, delivery_episode, message_key to homeward_admin;
grant insert on contact, notification_job to homeward_admin;
