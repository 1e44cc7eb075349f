-- A look at a list tells whom it showed. Whoever asks who saw a patient is then answered with the lists too on which the
-- patient's name stood. A list that is open asks again and again: an entry names only those whom no other entry of the same
-- person and list has named within the last while.

set local search_path to homeward, public;

-- Of the entries, only the owner's eyes can say whom they named; people do not read the log.
create function record_list(list text, patients integer[], told jsonb, within interval) returns void
    language sql security definer set search_path = homeward, pg_temp as $$
    with named as materialized (
        select n.patient::integer as patient
        from audit_log l cross join lateral jsonb_array_elements(l.detail -> 'patients') as n (patient)
        where l.organisation_id = current_organisation() and l.account_id = current_account() and l.object = list
            and l.action = 'looked_at' and l.at > now() - within
            and jsonb_typeof(l.detail -> 'patients') = 'array'
    ), shown as (
        select p.patient from unnest(patients) as p (patient) except select patient from named
    )
    insert into audit_log (organisation_id, account_id, action, object, detail)
    select current_organisation(), current_account(), 'looked_at', list,
        told || jsonb_build_object('patients', jsonb_agg(s.patient order by s.patient))
    from shown s
    where current_account() is not null
    having count(*) > 0
$$;

-- As before, and from an instant that an index can be searched by: the longer the log, the more it took.
create or replace function record_looks(objects text[], told jsonb, within interval) returns void
    language sql security definer set search_path = homeward, pg_temp as $$
    insert into audit_log (organisation_id, account_id, action, object, detail)
    select current_organisation(), current_account(), 'looked_at', o.name, told
    from unnest(objects) with ordinality as o (name, place)
    where current_account() is not null and not exists (
        select from audit_log l where l.organisation_id = current_organisation() and l.account_id = current_account()
            and l.object = o.name and l.action = 'looked_at' and l.at > now() - within)
    order by o.place
$$;

revoke execute on function record_list(text, integer[], jsonb, interval) from public;
grant execute on function record_list(text, integer[], jsonb, interval) to homeward_dashboard;
