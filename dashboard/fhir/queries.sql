-- What FHIR clients ask, for the person at work: row-level security has decided already whose patients exist.

-- name: patients
select patient_id, family_name, given_name, nhs_number, born_on, sex, discharged_at, created_at
from patient
where (%(patient)s::integer is null or patient_id = %(patient)s)
  and (%(nhs_number)s::text is null or nhs_number = %(nhs_number)s)
order by patient_id limit %(limit)s;

-- name: observations
-- The pressures of one instant are one Observation. The latest first; the place in that order is where the next part of
-- the list begins.
select patient_id, observed_at, device_id, panel, array_agg(vital order by vital) as vitals,
       array_agg(value order by vital) as numbers, bit_or(flags) as flags, max(received_at) as received_at, device
from (
    select o.patient_id, o.observed_at, o.device_id, o.vital, o.value, o.flags, o.received_at, d.code as device,
           case when o.vital = any (%(pressures)s::smallint[]) then %(pressure)s::smallint else o.vital end as panel
    from patient_observation o left join device d using (device_id)
    where o.patient_id = %(patient)s and o.observed_at >= %(since)s and o.observed_at < %(until)s
      and (%(vitals)s::smallint[] is null or o.vital = any (%(vitals)s))
      and (%(device)s::integer is null or o.device_id = %(device)s)
      and (%(after_at)s::timestamptz is null or o.observed_at <= %(after_at)s)
) x
where (%(after_at)s::timestamptz is null or (observed_at, -device_id, -panel)
       < (%(after_at)s, -%(after_device)s::integer, -%(after_panel)s::integer))
group by patient_id, observed_at, device_id, panel, device
order by observed_at desc, device_id, panel
limit %(limit)s;
