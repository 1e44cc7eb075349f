-- What the pages about messages ask and write. Every statement runs for the person at work; who may see or change which rows
-- is the database's to decide, and columns that hold secrets are granted to no page.

-- name: standing
select waiting, oldest_at, failed, nobody, without_ladder from message_standing()
