-- What is active at the end of a pause is told unless it was told as it is now: whoever settles the pause has to see when
-- each job was made, because a person may have taken the episode on, or its condition been over, since then.
set local search_path to homeward, public;

grant select (created_at) on notification_job to homeward_ingest;
