-- Limits of a person's own: what they were checked against, and the past on which a change is tried.

-- name: enrolment
-- Two who change the same limits at once: the second meets the unique version and is told to look again.
select n.enrolment_id, y.policy_id, y.version, y.document, p.usual_news2,
       coalesce((select max(o.version) from enrolment_override o where o.enrolment_id = n.enrolment_id), 0)
           as last_override
from enrolment n
join patient p using (patient_id)
join pathway w using (pathway_id)
join policy y using (policy_id)
where n.patient_id = %(patient)s and n.ended_at is null;

-- name: add_override
insert into enrolment_override (organisation_id, patient_id, enrolment_id, version, document, spo2_scale, usual_news2,
    policy_id, author, reason)
values (%(organisation)s, %(patient)s, %(enrolment)s, %(number)s, %(document)s::jsonb, %(spo2_scale)s, %(usual_news2)s,
    %(policy)s, %(author)s, %(reason)s);

-- name: scored_observations
select vital, value, observed_at, received_at, device_id, flags & ~1 as flags
from patient_observation
where patient_id = %(patient)s and observed_at > %(since)s and observed_at <= %(until)s and flags & 32 = 0
order by observed_at, vital
limit %(limit)s;
