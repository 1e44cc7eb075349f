-- What is opened in an emergency ends with it. A clinician may read the record of a patient whom they opened and act on it,
-- but could also have moved that patient to a site of their own and so kept them for good; and who became a carer
-- meanwhile still had them open. And whose identity at a provider was taken away comes in no more by a rule: the attempt met
-- the account that the rule had made before, and failed for that instead of being refused.

set local search_path to homeward, public;

-- A patient is changed or moved by whoever works where the patient is, and where the patient goes to.
alter policy changing on patient
    using (organisation_id = (select current_organisation()) and (select has_role('administrator', 'clinician'))
           and site_id = any ((select visible_sites())::integer[]));

create or replace function opened_patients() returns integer[] language sql stable parallel safe
    set search_path = homeward, pg_temp as $$
    select coalesce(array_agg(e.patient_id), '{}') from emergency_access e
    where e.account_id = current_account() and e.organisation_id = current_organisation() and e.expires_at > now()
      and has_role('clinician')
$$;

-- The name under which a rule makes an account follows from issuer and subject: where it is there, an administrator took
-- the identity away from it, or the same person signs in twice at this moment.
create or replace function account_by_rule(given_issuer text, given_subject text, given_name text, claims jsonb)
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
    on conflict (sign_in) do nothing
    returning account.account_id into made;
    if made is null then
        return;
    end if;
    if rule.site_id is not null then
        insert into account_site values (made, rule.site_id, rule.organisation_id);
    end if;
    insert into external_identity (issuer, subject, organisation_id, account_id)
    values (given_issuer, given_subject, rule.organisation_id, made);
    return query select made, rule.organisation_id, given_name, rule.role;
end $$;
