-- What pages of those who run an organisation may be trusted with. Every look at a patient is recorded, whatever serves it,
-- once in a while for pages that ask again and again. A message in quarantine is read where its device is. What one
-- organisation says of a provider's subjects is nothing to another. And a policy is checked against the limits of every
-- patient of its pathway, also of those whom the administrator who publishes it does not see.

set local search_path to homeward, public;

-- ------------------------------------------------------------------------------------------------------------- looks

create index audit_log_by_look on audit_log (organisation_id, account_id, object, at) where action = 'looked_at';

-- An entry for each of these that the person at work has none for within the last while. People do not read the log, so
-- only the owner's eyes can say whether it has one.
create function record_looks(objects text[], told jsonb, within interval) returns void
    language sql security definer set search_path = homeward, pg_temp as $$
    insert into audit_log (organisation_id, account_id, action, object, detail)
    select current_organisation(), current_account(), 'looked_at', o.name, told
    from unnest(objects) with ordinality as o (name, place)
    where current_account() is not null and not exists (
        select from audit_log l where l.organisation_id = current_organisation() and l.account_id = current_account()
            and l.object = o.name and l.action = 'looked_at' and l.at > clock_timestamp() - within)
    order by o.place
$$;

-- Whoever checks the record is asked about a person by their NHS number, and need not see the patient for it.
create function patient_of_nhs_number(given text) returns integer
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select p.patient_id from patient p
    where has_role('administrator', 'auditor') and p.organisation_id = current_organisation() and p.nhs_number = given
$$;

-- -------------------------------------------------------------------------------------------------------- quarantine

-- Of what came from no device that is anywhere, nobody knows whose it is: it is for those who run the organisation.
create function mends_the_unknown() returns boolean language sql stable parallel safe
    set search_path = homeward, pg_temp as $$
    select exists (select from account a where a.account_id = current_account()
                   and a.organisation_id = current_organisation() and a.disabled_at is null
                   and (a.role = 'administrator' or a.role = 'technician' and a.all_sites))
$$;

drop policy people on quarantine;
create policy people on quarantine to homeward_dashboard
    using (organisation_id = (select current_organisation()) and (
        exists (select from device d where d.device_id = quarantine.device_id
                and (d.site_id = any ((select visible_sites())::integer[])
                     or d.site_id is null and (select mends_the_unknown())))
        or device_id is null and (select mends_the_unknown())
        -- a device of somebody at home is nowhere but with them
        or exists (select from device_assignment a join patient p using (patient_id)
                   where a.device_id = quarantine.device_id and a.during @> quarantine.received_at)
        or exists (select from patient p where p.patient_id = quarantine.patient_id)));

-- ------------------------------------------------------------------------------------- whose subjects and claims these are

-- A subject or a claim of a provider is one organisation's affair: what another says of the same one neither stands in its
-- way nor tells that it is there. Whose provider it is through which people come in, the installation says.
alter table external_identity drop constraint external_identity_pkey, add primary key (organisation_id, issuer, subject);
alter table identity_rule drop constraint identity_rule_issuer_claim_value_key,
    add unique (organisation_id, issuer, claim, value);

create policy provider on organisation for select to homeward_owner using (true);

-- The organisation that the settings name; where they name none, the only one that there is.
create function organisation_of_provider(given text) returns integer
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select case when given = '' then (select min(o.organisation_id) from organisation o having count(*) = 1)
                else (select o.organisation_id from organisation o where o.name = given) end
$$;

drop function account_for_identity(text, text);
create function account_for_identity(given_organisation integer, given_issuer text, given_subject text)
    returns table (account_id integer, organisation_id integer, name text, role text)
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select a.account_id, a.organisation_id, a.name, a.role
    from external_identity x join account a using (account_id)
    where x.organisation_id = given_organisation and x.issuer = given_issuer and x.subject = given_subject
      and a.disabled_at is null
$$;

drop function account_by_rule(text, text, text, jsonb);
create function account_by_rule(given_organisation integer, given_issuer text, given_subject text, given_name text,
        claims jsonb)
    returns table (account_id integer, organisation_id integer, name text, role text)
    language plpgsql security definer set search_path = homeward, pg_temp as $$
#variable_conflict use_column
declare
    rule identity_rule;
    wanted text := 'provider:' || left(encode(sha256(convert_to(given_issuer || e'\x1f' || given_subject, 'UTF8')),
        'hex'), 20);
    made integer;
begin
    if exists (select from external_identity x where x.organisation_id = given_organisation
               and x.issuer = given_issuer and x.subject = given_subject) then
        return;
    end if;
    select * into rule from identity_rule r where r.organisation_id = given_organisation and r.issuer = given_issuer
        and (claims ->> r.claim = r.value
             or (jsonb_typeof(claims -> r.claim) = 'array' and claims -> r.claim ? r.value))
        order by r.rule_id limit 1;
    if rule.rule_id is null then
        return;
    end if;
    -- the name follows from issuer and subject; where it is another organisation's, from the organisation as well
    if exists (select from account a where a.sign_in = wanted and a.organisation_id <> given_organisation) then
        wanted := wanted || '-' || given_organisation;
    end if;
    -- where it is there, an administrator took the identity away, or the same person signs in twice at this moment
    insert into account (organisation_id, sign_in, name, role, all_sites)
    values (given_organisation, wanted, given_name, rule.role, rule.site_id is null)
    on conflict (sign_in) do nothing
    returning account.account_id into made;
    if made is null then
        return;
    end if;
    if rule.site_id is not null then
        insert into account_site values (made, rule.site_id, given_organisation);
    end if;
    insert into external_identity (issuer, subject, organisation_id, account_id)
    values (given_issuer, given_subject, given_organisation, made);
    return query select made, given_organisation, given_name, rule.role;
end $$;

-- ---------------------------------------------------------------------------------------------------------- policies

create policy publishing on enrolment for select to homeward_owner
    using (organisation_id = (select current_organisation()));
create policy publishing on enrolment_override for select to homeward_owner
    using (organisation_id = (select current_organisation()));
create policy publishing on pathway for select to homeward_owner
    using (organisation_id = (select current_organisation()));

-- What is in force of patients' own on a pathway, at every site: for whoever publishes, on the page or by command.
create function overrides_of_pathway(given text) returns table (patient_id integer, document jsonb)
    language sql stable security definer set search_path = homeward, pg_temp as $$
    select distinct on (o.enrolment_id) o.patient_id, o.document
    from enrolment_override o join enrolment e using (enrolment_id) join pathway w using (pathway_id)
    where (current_account() is null or has_role('administrator'))
      and w.organisation_id = current_organisation() and w.name = given and e.ended_at is null
    order by o.enrolment_id, o.version desc
$$;

-- ------------------------------------------------------------------------------------------------------------ grants

revoke execute on function record_looks(text[], jsonb, interval), patient_of_nhs_number(text), mends_the_unknown(), organisation_of_provider(text),
    account_for_identity(integer, text, text), account_by_rule(integer, text, text, text, jsonb),
    overrides_of_pathway(text) from public;
grant execute on function record_looks(text[], jsonb, interval), patient_of_nhs_number(text), mends_the_unknown(), organisation_of_provider(text),
    account_for_identity(integer, text, text), account_by_rule(integer, text, text, text, jsonb)
    to homeward_dashboard;
grant execute on function overrides_of_pathway(text) to homeward_dashboard, homeward_admin;
