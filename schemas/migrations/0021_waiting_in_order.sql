-- The next message is the most urgent one that is due, and of one urgency what is new before what is told again: the index
-- lies in that order, so that of thousands waiting only the first is read.
set local search_path to homeward, public;

drop index delivery_waiting;
create index delivery_waiting on delivery (severity desc, again, run_at) where status = 'waiting';
