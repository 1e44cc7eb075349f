-- Who signs in how, who may set up whom, and how a clinician reaches a patient elsewhere in an emergency.
--
-- A password alone lets in whoever found it out, so a second factor and a provider of identities stand beside it. People
-- are added, patients registered and policies put in force on pages now, so the database itself must refuse these to the
-- wrong role: the grants below come with restrictive policies, which hold whatever other policies allow.

set local search_path to homeward, public;

-- --------------------------------------------------------------------------------------------------------- the tables

alter table organisation add second_factor_roles text[] not null default '{}';   -- whose role must use a second factor
alter table account add second_factor_at timestamptz,                            -- since when a second factor protects it
    add password_changed_at timestamptz;
-- so that a person can recognise a sign-in of theirs and end it
alter table session add session_id bigint generated always as identity,
    add method text not null default 'password' check (method in ('password', 'second_factor', 'recovery_code', 'provider')),
    add agent text not null default '' check (length(agent) <= 200);

-- The secret is encrypted with a key that is not in the database. last_step: a code is good for one sign-in.
create table second_factor (
    account_id      integer primary key,
    organisation_id integer not null,
    secret          bytea not null,
    confirmed_at    timestamptz,
    last_step       bigint not null default 0,
    failures        smallint not null default 0,
    locked_until    timestamptz,
    created_at      timestamptz not null default now(),
    foreign key (organisation_id, account_id) references account (organisation_id, account_id)
);

create table recovery_code (
    organisation_id integer not null,
    account_id      integer not null,
    code_hash       bytea not null check (length(code_hash) = 32),
    used_at         timestamptz,
    primary key (account_id, code_hash),
    foreign key (organisation_id, account_id) references account (organisation_id, account_id)
);

-- A link that lets its holder choose a password once; the token is known to whoever was given the link only.
create table account_link (
    token_hash      bytea primary key check (length(token_hash) = 32),
    organisation_id integer not null,
    account_id      integer not null,
    created_by      integer,
    created_at      timestamptz not null default now(),
    expires_at      timestamptz not null,
    used_at         timestamptz,
    foreign key (organisation_id, account_id) references account (organisation_id, account_id)
);
create index account_link_by_account on account_link (account_id);

-- Whom a provider of identities knows under which subject. A subject means something with its issuer only.
create table external_identity (
    issuer          text not null check (issuer <> ''),
    subject         text not null check (subject <> ''),
    organisation_id integer not null,
    account_id      integer not null,
    linked_at       timestamptz not null default now(),
    primary key (issuer, subject),
    foreign key (organisation_id, account_id) references account (organisation_id, account_id)
);
create index external_identity_by_account on external_identity (account_id);

-- Who of a provider gets an account at the first sign-in: whoever has this value of this claim, in this role.
create table identity_rule (
    rule_id         integer generated always as identity primary key,
    organisation_id integer not null references organisation,
    issuer          text not null check (issuer <> ''),
    claim           text not null check (claim <> ''),
    value           text not null check (value <> ''),
    role            text not null check (role in ('clinician', 'carer', 'technician', 'auditor', 'read_only')),
    site_id         integer,                           -- null: every site
    unique (issuer, claim, value),
    foreign key (organisation_id, site_id) references site (organisation_id, site_id)
);

-- Break-glass: a clinician opens a patient outside their sites, for a while and with a reason.
create table emergency_access (
    access_id       bigint generated always as identity primary key,
    organisation_id integer not null,
    account_id      integer not null,
    patient_id      integer not null,
    reason          text not null check (length(btrim(reason)) between 10 and 1000),
    started_at      timestamptz not null default now(),
    expires_at      timestamptz not null,
    check (expires_at > started_at and expires_at <= started_at + interval '12 hours'),
    foreign key (organisation_id, account_id) references account (organisation_id, account_id),
    foreign key (organisation_id, patient_id) references patient (organisation_id, patient_id)
);
create index emergency_access_by_account on emergency_access (account_id, expires_at);
create index emergency_access_by_organisation on emergency_access (organisation_id, access_id);

-- The log is searched by who, by whom, by what was done and by when.
create index audit_log_by_account on audit_log (organisation_id, account_id, audit_id);
create index audit_log_by_object on audit_log (organisation_id, object, audit_id);
create index audit_log_by_action on audit_log (organisation_id, action, audit_id);

-- ----------------------------------------------------------------------------------------------------- who sees what

-- Whether the person at work is in service and has one of these roles; the same roles as in dashboard/permissions.py.
create function has_role(variadic roles text[]) returns boolean language sql stable parallel safe
    set search_path = homeward, pg_temp as $$
    select exists (select from account a where a.account_id = current_account()
                   and a.organisation_id = current_organisation() and a.disabled_at is null and a.role = any (roles))
$$;

-- The patients whom the person at work has opened in an emergency, as long as that lasts.
create function opened_patients() returns integer[] language sql stable parallel safe
    set search_path = homeward, pg_temp as $$
    select coalesce(array_agg(e.patient_id), '{}') from emergency_access e
    where e.account_id = current_account() and e.organisation_id = current_organisation() and e.expires_at > now()
$$;

do $$
declare
    name text;
    of_an_account text[] := array['second_factor', 'recovery_code', 'account_link', 'external_identity'];
begin
    foreach name in array of_an_account || array['identity_rule', 'emergency_access'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy provisioning on %I to homeward_admin using (organisation_id = '
            '(select current_organisation())) with check (organisation_id = (select current_organisation()))', name);
    end loop;
    -- one's own, and for administrators everybody's of the organisation
    foreach name in array of_an_account loop
        execute format('create policy people on %I to homeward_dashboard using (organisation_id = '
            '(select current_organisation()) and (account_id = (select current_account()) '
            'or (select has_role(''administrator'')))) with check (organisation_id = (select current_organisation()) '
            'and (account_id = (select current_account()) or (select has_role(''administrator''))))', name);
    end loop;
end $$;

create policy people on identity_rule to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (select has_role('administrator')))
    with check (organisation_id = (select current_organisation()) and (select has_role('administrator')));
create policy people on emergency_access for select to homeward_dashboard, homeward_reader
    using (organisation_id = (select current_organisation()) and (account_id = (select current_account())
           or (select has_role('administrator', 'auditor'))));

-- A patient is seen at one's sites, and elsewhere while one has opened them.
drop policy people on patient;
create policy people on patient to homeward_dashboard, homeward_reader
    using (organisation_id = (select current_organisation()) and (select sees_patients())
           and (site_id = any ((select visible_sites())::integer[])
                or patient_id = any ((select opened_patients())::integer[])))
    with check (organisation_id = (select current_organisation()) and (select sees_patients())
                and site_id = any ((select visible_sites())::integer[]));

-- What only some roles may write.
create policy adding on account as restrictive for insert to homeward_dashboard
    with check ((select has_role('administrator')) and organisation_id = (select current_organisation()));
create policy changing on account as restrictive for update to homeward_dashboard
    using (organisation_id = (select current_organisation())
           and (account_id = (select current_account()) or (select has_role('administrator'))));
create policy adding on account_site as restrictive for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation()) and (select has_role('administrator')));
create policy removing on account_site as restrictive for delete to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (select has_role('administrator')));
create policy changing on organisation as restrictive for update to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (select has_role('administrator')));
create policy adding on site as restrictive for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation()) and (select has_role('administrator')));
create policy changing on site as restrictive for update to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (select has_role('administrator')));
create policy adding on patient as restrictive for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation())
                and (select has_role('administrator', 'clinician')));
create policy changing on patient as restrictive for update to homeward_dashboard
    using (organisation_id = (select current_organisation())
           and (select has_role('administrator', 'clinician')));
create policy adding on enrolment as restrictive for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation())
                and (select has_role('administrator', 'clinician')));
create policy adding on enrolment_override as restrictive for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation())
                and (select has_role('administrator', 'clinician')));
create policy adding on pathway as restrictive for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation()) and (select has_role('administrator')));
create policy changing on pathway as restrictive for update to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (select has_role('administrator')));
create policy adding on policy as restrictive for insert to homeward_dashboard
    with check (organisation_id = (select current_organisation()) and (select has_role('administrator')));
-- The log tells who looked at whom: it is for those who check it.
create policy reading on audit_log as restrictive for select to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (select has_role('administrator', 'auditor')));
-- Sign-ins of others are nobody's business but an administrator's; one that has run out may be cleared by anybody.
create policy own on session as restrictive to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (account_id = (select current_account())
           or expires_at < now() or (select has_role('administrator'))));

-- A person changes their own password, and never their own rights; nor can the last way in be closed from inside.
create function refuse_own_rights() returns trigger language plpgsql set search_path = homeward, pg_temp as $$
begin
    if current_account() is null or (old.role = new.role and old.all_sites = new.all_sites and old.name = new.name
            and old.sign_in = new.sign_in and old.organisation_id = new.organisation_id
            and old.disabled_at is not distinct from new.disabled_at) then
        return new;
    end if;
    if not has_role('administrator') then
        raise exception using errcode = 'insufficient_privilege', message = 'only an administrator changes an account';
    end if;
    if old.account_id = current_account()
            and (old.role <> new.role or old.disabled_at is distinct from new.disabled_at) then
        raise exception using errcode = 'check_violation',
            message = 'Nobody changes their own role or disables themselves; ask another administrator.';
    end if;
    return new;
end $$;
create trigger account_own_rights before update on account for each row execute function refuse_own_rights();

-- Whoever is disabled or changes role signs in anew: every session ends, and every live connection hears of it.
create function end_sessions() returns trigger language plpgsql
    security definer set search_path = homeward, pg_temp as $$
declare
    ended bytea;
begin
    for ended in delete from session where account_id = new.account_id returning token_hash loop
        perform pg_notify('homeward_session', encode(ended, 'hex'));
    end loop;
    return null;
end $$;
create trigger account_sessions after update on account for each row
    when (old.role <> new.role or old.disabled_at is distinct from new.disabled_at or old.all_sites <> new.all_sites)
    execute function end_sessions();

-- What happens before a person is known, or outside their sites, runs with the owner's eyes and does one thing.
create policy ending on session for delete to homeward_owner using (true);
create policy link on account_link for select to homeward_owner using (true);
create policy provider on external_identity to homeward_owner using (true) with check (true);
create policy provider on identity_rule for select to homeward_owner using (true);
create policy provider_accounts on account for insert to homeward_owner with check (true);
create policy provider_sites on account_site for insert to homeward_owner with check (true);
create policy emergency on patient for select to homeward_owner
    using (organisation_id = (select current_organisation()));
create policy emergency on emergency_access to homeward_owner
    using (organisation_id = (select current_organisation()))
    with check (organisation_id = (select current_organisation()));
create policy emergency on audit_log for insert to homeward_owner
    with check (organisation_id = (select current_organisation()));

create function account_for_link(given bytea)
    returns table (account_id integer, organisation_id integer, name text, role text, sign_in text)
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select a.account_id, a.organisation_id, a.name, a.role, a.sign_in
    from account_link l join account a using (account_id)
    where l.token_hash = given and l.used_at is null and l.expires_at > now() and a.disabled_at is null
$$;

create function account_for_identity(given_issuer text, given_subject text)
    returns table (account_id integer, organisation_id integer, name text, role text)
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select a.account_id, a.organisation_id, a.name, a.role
    from external_identity x join account a using (account_id)
    where x.issuer = given_issuer and x.subject = given_subject and a.disabled_at is null
$$;

-- Make the account of somebody whom a provider vouches for, where an organisation's rule says so; no row where none
-- does or the subject is known already. `claims` holds text and lists of text.
create function account_by_rule(given_issuer text, given_subject text, given_name text, claims jsonb)
    returns table (account_id integer, organisation_id integer, name text, role text)
    language plpgsql security definer set search_path = homeward, pg_temp as $$
#variable_conflict use_column
declare
    rule identity_rule;
    made integer;
begin
    if exists (select from external_identity x where x.issuer = given_issuer and x.subject = given_subject) then
        return;
    end if;
    select * into rule from identity_rule r where r.issuer = given_issuer and (
        claims ->> r.claim = r.value or (jsonb_typeof(claims -> r.claim) = 'array' and claims -> r.claim ? r.value))
        order by r.rule_id limit 1;
    if rule.rule_id is null then
        return;
    end if;
    insert into account (organisation_id, sign_in, name, role, all_sites)
    values (rule.organisation_id, lower('provider:' || left(encode(sha256(convert_to(given_issuer || e'\x1f'
        || given_subject, 'UTF8')), 'hex'), 20)), given_name, rule.role, rule.site_id is null)
    returning account.account_id into made;
    if rule.site_id is not null then
        insert into account_site values (made, rule.site_id, rule.organisation_id);
    end if;
    insert into external_identity (issuer, subject, organisation_id, account_id)
    values (given_issuer, given_subject, rule.organisation_id, made);
    return query select made, rule.organisation_id, given_name, rule.role;
end $$;

-- Open a patient of one's organisation by NHS number and date of birth, which whoever stands beside them can say.
-- Null where there is no such patient in care. The entry in the audit log is written here, so that it cannot be left out.
create function open_in_emergency(given_nhs_number text, given_born_on date, given_reason text, given_minutes integer)
    returns integer language plpgsql security definer set search_path = homeward, pg_temp as $$
declare
    found_patient integer;
begin
    if not has_role('clinician') then
        raise exception using errcode = 'insufficient_privilege', message = 'only a clinician opens a patient in an emergency';
    end if;
    select p.patient_id into found_patient from patient p
    where p.organisation_id = current_organisation() and p.nhs_number = given_nhs_number
      and p.born_on = given_born_on and p.discharged_at is null;
    insert into audit_log (organisation_id, account_id, action, object, detail) values (current_organisation(),
        current_account(), case when found_patient is null then 'emergency_access_failed' else 'emergency_access' end,
        coalesce('patient/' || found_patient, 'patient'),
        jsonb_build_object('reason', given_reason, 'minutes', given_minutes));
    if found_patient is not null then
        insert into emergency_access (organisation_id, account_id, patient_id, reason, expires_at)
        values (current_organisation(), current_account(), found_patient, given_reason,
            now() + given_minutes * interval '1 minute');
    end if;
    return found_patient;
end $$;

-- Whether an NHS number is registered in the organisation at all, so that nobody registers a person twice who is at a
-- site that they do not see. It tells no more than that.
create function nhs_number_is_known(given text) returns boolean
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select has_role('administrator', 'clinician') and exists (select from patient p
        where p.organisation_id = current_organisation() and p.nhs_number = given)
$$;

-- ------------------------------------------------------------------------------------------------------------ grants

revoke execute on all functions in schema homeward from public;
grant execute on function has_role(text[]), opened_patients() to homeward_dashboard, homeward_reader, homeward_admin;
grant execute on function account_for_link(bytea), account_for_identity(text, text),
    account_by_rule(text, text, text, jsonb), open_in_emergency(text, date, text, integer), nhs_number_is_known(text)
    to homeward_dashboard;

grant select, insert, update, delete on second_factor, recovery_code, account_link, external_identity, identity_rule
    to homeward_admin;
grant select on emergency_access to homeward_admin, homeward_dashboard;
grant select (patient_id, account_id, organisation_id, expires_at) on emergency_access to homeward_reader;
grant select, insert, update (secret, confirmed_at, last_step, failures, locked_until, created_at), delete
    on second_factor to homeward_dashboard;
grant select, insert, update (used_at), delete on recovery_code to homeward_dashboard;
grant select, insert, update (used_at, expires_at) on account_link to homeward_dashboard;
grant select, insert, delete on external_identity, identity_rule to homeward_dashboard;

grant select (second_factor_at, password_changed_at, locked_until) on account to homeward_dashboard;
grant insert (organisation_id, sign_in, name, role, all_sites, password_hash) on account to homeward_dashboard;
grant update (name, role, all_sites, disabled_at, password_hash, password_changed_at, failed_sign_ins, locked_until,
    second_factor_at) on account to homeward_dashboard;
grant insert, delete on account_site to homeward_dashboard;
grant update (second_factor_roles) on organisation to homeward_dashboard;
grant insert (organisation_id, name, kind, time_zone), update (name, kind, time_zone) on site to homeward_dashboard;
grant insert (organisation_id, site_id, family_name, given_name, nhs_number, born_on, sex, room, contact, allergies,
    resuscitation, pregnant), update (site_id, family_name, given_name, nhs_number, born_on, sex, room, contact,
    allergies, resuscitation, pregnant, discharged_at) on patient to homeward_dashboard;
grant insert (organisation_id, patient_id, pathway_id), update (ended_at) on enrolment to homeward_dashboard;
grant insert on enrolment_override, device_assignment to homeward_dashboard;
grant update (during) on device_assignment to homeward_dashboard;
grant insert, update (title, policy_id) on pathway to homeward_dashboard;
grant insert on policy to homeward_dashboard;
