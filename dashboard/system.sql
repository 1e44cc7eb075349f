-- How the installation's database is kept; no tenant's data.

-- name: database
select pg_database_size(current_database()) as size,
    current_setting('server_version') as postgres,
    (select extversion from pg_extension where extname = 'timescaledb') as timescale,
    coalesce(current_setting('timescaledb.license', true), '') as edition,
    (select name from homeward_migration order by number desc limit 1) as migration,
    (select max(applied_at) from homeward_migration) as migrated_at,
    (select count(*) from pg_stat_activity where datname = current_database()) as connections,
    (select min(range_start) from timescaledb_information.chunks
     where hypertable_schema = 'homeward' and hypertable_name = 'observation') as oldest

-- name: codes_seen
-- Which of these devices this person may see.
select code from device where retired_at is null and code = any(%(codes)s)
