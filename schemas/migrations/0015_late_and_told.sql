-- What comes late from before a policy's version is judged by the version of then, when the history is corrected. Unlike
-- what came too late, it may have come in time to be acted on: somebody is told where it has.
set local search_path to homeward, public;

alter table patient_state add column late_is_told boolean not null default false;
